#include <stdio.h>

int main(void)
{
    (void)puts("knowd " KNOWD_VERSION);
    return 0;
}
