/* kind `cluster`, deployment `provisioned`: a Redshift cluster of nodes. The functions are the driver's (engine/kind.h); cluster.c
 * chooses between them and serverless.h. */
#ifndef SF_AWS_REDSHIFT_H
#define SF_AWS_REDSHIFT_H

#include "engine/kind.h"

enum { SF_REDSHIFT_USUAL_NODES = 1 };
extern const char sf_redshift_usual_node_type[]; /* what a stack gets that names none */

sf_driver_read_fn sf_redshift_read;
sf_driver_find_fn sf_redshift_find;
sf_driver_create_fn sf_redshift_create;
sf_driver_update_fn sf_redshift_update;
sf_driver_destroy_fn sf_redshift_destroy;
sf_driver_preflight_fn sf_redshift_preflight;

#endif
