/* sfstate: see commands.h. */
#include "engine/cli/commands.h"

int main(int argc, char **argv)
{
    return sf_main_state(argc, argv);
}
