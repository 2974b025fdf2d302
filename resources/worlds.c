/* The worlds linked in. */
#include "resources/data/world.h"

extern const struct sf_world sf_world_local;

const struct sf_world *const sf_worlds[] = {&sf_world_local, NULL};
