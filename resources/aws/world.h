/* The AWS world, as resources/worlds.c lists it. */
#ifndef SF_AWS_WORLD_H
#define SF_AWS_WORLD_H

#include "resources/data/world.h"

extern const struct sf_world sf_world_aws;

#endif
