/* Derives every server's configuration from the territory, one run at a time. */
#include "resources/local/enforce.h"

enum sf_code sf_local_enforce(struct sf_op *op, struct sf_err *err)
{
    struct sf_territory *t = sf_territory_of(op);
    pthread_mutex_lock(&t->mutex);
    enum sf_code rc = sf_enforce_sftp(op, err);
    if (rc == SF_OK)
        rc = sf_enforce_pg(op, err);
    pthread_mutex_unlock(&t->mutex);
    return rc;
}
