/* Objects of the local world that are one JSON file each: the file is the object, editing or deleting it is drift.
 *
 * What the kinds bucket, policy, role, security_group and ssh_key share. The file holds {"owner", "id", "attrs"} (territory.h). */
#ifndef SF_LOCAL_RECORD_H
#define SF_LOCAL_RECORD_H

#include "resources/local/territory.h"

struct sf_record {
    const char *path;         /* of the file */
    const char *what;         /* "bucket 'x'", for messages */
    const char *const *attrs; /* names of the attributes that it keeps */
    size_t n_attrs;
};

/* The object as it is: id and every attribute it keeps (null where the file has none). SF_E_ABSENT, or SF_E_CONFLICT when another
 * stack's object is there now. */
enum sf_code sf_record_read(struct sf_op *op, const struct sf_record *record, struct sf_outcome *out,
                            struct sf_err *err) SF_MUST_CHECK;
/* Whether the open intent, or an earlier one of this very resource, made the object; SF_E_ABSENT if not. */
enum sf_code sf_record_find(struct sf_op *op, const struct sf_record *record, struct sf_outcome *out,
                            struct sf_err *err) SF_MUST_CHECK;
/* Journals and writes a new object. SF_E_CONFLICT over anybody else's; over our own of the same address it goes on. */
enum sf_code sf_record_create(struct sf_op *op, const struct sf_record *record, struct sf_str id, const struct sf_value *want,
                              struct sf_outcome *out, struct sf_err *err) SF_MUST_CHECK;
/* Journals and writes the object anew. */
enum sf_code sf_record_update(struct sf_op *op, const struct sf_record *record, struct sf_str id, const struct sf_value *want,
                              struct sf_outcome *out, struct sf_err *err) SF_MUST_CHECK;
/* Whether it may be destroyed: SF_E_ABSENT when it is gone already, SF_E_CONFLICT when it is not ours. */
enum sf_code sf_record_check_destroy(struct sf_op *op, const struct sf_record *record, struct sf_err *err) SF_MUST_CHECK;
/* Journals and removes the file; absent is success. */
enum sf_code sf_record_destroy(struct sf_op *op, const struct sf_record *record, struct sf_err *err) SF_MUST_CHECK;
/* Plan time: SF_E_CONFLICT when the name is taken by another owner. */
enum sf_code sf_record_preflight(struct sf_op *op, const struct sf_record *record, struct sf_err *err) SF_MUST_CHECK;

/* `prefix` and 17 hex digits that follow from the running intent: a create that is run again after a crash finds its own object. */
struct sf_str sf_record_new_id(struct sf_op *op, const char *prefix);
/* Whether `name` may be a file name here: not empty, no '/', no leading dot, at most 200 bytes. */
bool sf_record_is_name(struct sf_str name);

#endif
