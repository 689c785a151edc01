/* The subcommands: what runs each, and the exit status when it fails. Their
 * texts stand in cli/options.c. */
#include "base/io.h"
#include "cli/cli.h"

static const struct command_row ROWS[CMD_COUNT] = {
    [CMD_SERVE] = {cmd_serve, EXIT_PARTIAL},
    [CMD_ADD] = {cmd_add, EXIT_SERVER},
    [CMD_SEARCH] = {cmd_search, EXIT_SERVER},
    [CMD_EVAL] = {cmd_eval, EXIT_SERVER},
    [CMD_BASES] = {cmd_bases, EXIT_SERVER},
    [CMD_JOBS] = {cmd_jobs, EXIT_SERVER},
    [CMD_REPROCESS] = {cmd_reprocess, EXIT_SERVER},
    [CMD_KEYS] = {cmd_keys, EXIT_SERVER},
    [CMD_MODEL] = {cmd_model, EXIT_SERVER},
    [CMD_CHECK] = {cmd_check, EXIT_PARTIAL},
    [CMD_DOCTOR] = {cmd_doctor, EXIT_PARTIAL},
    [CMD_ROUTES] = {cmd_routes, EXIT_PARTIAL},
    [CMD_VERSION] = {cmd_version, EXIT_PARTIAL},
    [CMD_HELP] = {cmd_help, EXIT_PARTIAL},
    [CMD_MAN] = {cmd_man, EXIT_PARTIAL},
    [CMD_COMPLETIONS] = {cmd_completions, EXIT_PARTIAL},
};

int main(int argc, char **argv)
{
    io_plan_from_env();
    return cli_main(argc, argv, ROWS);
}
