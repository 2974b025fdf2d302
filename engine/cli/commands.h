/* The programs behind their main(): each returns the process exit code. */
#ifndef SF_CLI_COMMANDS_H
#define SF_CLI_COMMANDS_H

int sf_main_plan(int argc, char **argv);
int sf_main_apply(int argc, char **argv);
int sf_main_destroy(int argc, char **argv);
int sf_main_state(int argc, char **argv);

#endif
