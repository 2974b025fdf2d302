/* The AWS world's ask_rights(): see struct sf_world. */
#ifndef SF_AWS_RIGHTS_H
#define SF_AWS_RIGHTS_H

#include "engine/kind.h"

enum sf_code sf_aws_ask_rights(struct sf_arena *arena, const struct sf_site *site, const struct sf_value *statement,
                               const struct sf_value **denied, struct sf_err *err);

#endif
