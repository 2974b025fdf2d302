/* The warehouse half of the local world (world.h has the contracts): PostgreSQL clusters under <territory>/clusters. */
#ifndef SF_LOCAL_WAREHOUSE_H
#define SF_LOCAL_WAREHOUSE_H

#include "resources/data/world.h"

enum sf_code sf_local_warehouse_query(struct sf_op *op, const struct sf_object *cluster, struct sf_str sql,
                                      const struct sf_value **rows, struct sf_err *err);
enum sf_code sf_local_warehouse_stage(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *copies,
                                      size_t n, size_t *failed, struct sf_err *err);
enum sf_code sf_local_warehouse_ask(struct sf_op *op, const struct sf_object *cluster, struct sf_str user, struct sf_str password,
                                    struct sf_str sql, struct sf_answer *out, struct sf_err *err);
enum sf_code sf_local_warehouse_run(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements,
                                    size_t n, const struct sf_value **rows, size_t *failed, struct sf_err *err);
enum sf_code sf_local_warehouse_control(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements,
                                        size_t n, const struct sf_value **rows, size_t *failed, struct sf_err *err);

#endif
