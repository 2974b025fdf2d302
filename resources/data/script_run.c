/* Scripts that are cut into transactions. See sql.h. */
#include "resources/data/dialect.h"

enum sf_code sf_script_run(struct sf_op *op, const struct sf_object *cluster, const struct sf_script *script, bool is_control,
                           struct sf_err *err)
{
    const struct sf_world *world = op->site->world;
    size_t most = world->dialect->max_statements ? world->dialect->max_statements : SIZE_MAX;
    enum sf_code rc = SF_OK;
    for (size_t from = 0, n; !rc && from < script->n; from += n) {
        size_t failed = 0;
        for (n = 1; from + n < script->n && n < most && !script->list[from + n].opens; n++)
            ;
        rc = is_control ? world->warehouse_control(op, cluster, script->list + from, n, NULL, &failed, err)
                        : world->warehouse_run(op, cluster, script->list + from, n, NULL, &failed, err);
    }
    return rc;
}
