/* The decided graph as steps: what is created, updated, destroyed, forgotten or only recorded, and what waits for what. */
#ifndef SF_RUN_STEPS_H
#define SF_RUN_STEPS_H

#include "engine/run/apply.h"

/* Steps with their edges and pools, in the run's arena. The order is DESIGN section 8's: create A before B, destroy B before A;
 * what loses its reference is updated before the thing goes; what goes with its container is forgotten after it. Linear in nodes
 * and edges. */
struct sf_step **sf_steps_build(struct sf_run *run, size_t *n);

#endif
