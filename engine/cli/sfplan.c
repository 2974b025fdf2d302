/* sfplan: see commands.h. */
#include "engine/cli/commands.h"

int main(int argc, char **argv)
{
    return sf_main_plan(argc, argv);
}
