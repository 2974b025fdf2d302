/* kind `cluster`, deployment `serverless`: a namespace (what is stored) and a workgroup (what computes) of one name. The functions
 * are the driver's (engine/kind.h); cluster.c chooses between them and redshift.h. */
#ifndef SF_AWS_SERVERLESS_H
#define SF_AWS_SERVERLESS_H

#include "engine/kind.h"

sf_driver_read_fn sf_serverless_read;
sf_driver_find_fn sf_serverless_find;
sf_driver_create_fn sf_serverless_create;
sf_driver_update_fn sf_serverless_update;
sf_driver_destroy_fn sf_serverless_destroy;
sf_driver_preflight_fn sf_serverless_preflight;

#endif
