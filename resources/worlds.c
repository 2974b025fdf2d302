/* The worlds linked in. */
#include "resources/aws/world.h"

extern const struct sf_world sf_world_local;

const struct sf_world *const sf_worlds[] = {&sf_world_local, &sf_world_aws, NULL};
