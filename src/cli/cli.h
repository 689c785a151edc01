/*
 * cli: the subcommands. Each is a function that does its work and prints its
 * result on standard output; what went wrong is returned and shown once, by
 * cli_main.
 *
 * Exit status: 0 done; 1 done but not everything succeeded, each failure
 * named, or check found damage; 2 usage; 3 server unreachable or refused.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/options.h"

enum exit_status { EXIT_DONE, EXIT_PARTIAL, EXIT_USAGE, EXIT_SERVER };

struct run {
    struct options o;
    struct arena *arena;     /* lives as long as the command */
    enum exit_status status; /* of a command that returns RC_OK */
};

typedef rc command_run(struct run *r, struct err *e);
/* One a command: what runs it, and the status when it returns an error (one
 * of RC_INVALID is always EXIT_USAGE). */
struct command_row {
    command_run *run;
    enum exit_status failed;
};

int cli_main(int argc, char **argv, const struct command_row rows[CMD_COUNT]);

command_run cmd_serve, cmd_add, cmd_search, cmd_eval, cmd_bases, cmd_jobs,
    cmd_reprocess, cmd_keys, cmd_model, cmd_check, cmd_doctor, cmd_routes,
    cmd_version, cmd_help, cmd_man, cmd_completions;

#endif
