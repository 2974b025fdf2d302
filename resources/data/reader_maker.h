/* How a dialect makes a reader of a star: the statements behind reader.h. Private to the files that write them. */
#ifndef SF_DATA_READER_MAKER_H
#define SF_DATA_READER_MAKER_H

#include "resources/data/dialect.h"
#include "resources/data/reader.h"

enum { SF_SCRAM_ITERATIONS = 4096 };

struct sf_reader_maker {
    /* Appends what makes or mends the role, its password and its grants on this star. May ask the warehouse first. */
    enum sf_code (*make)(struct sf_op *op, const struct sf_object *cluster, const struct sf_star_site *site, struct sf_str password,
                         struct sf_script *script, struct sf_err *err);
    /* Appends what takes it away, or what is to change while another star names it (*is_used). Nothing when there is none. */
    enum sf_code (*leave)(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, bool *is_used,
                          struct sf_script *script, struct sf_err *err);
};

extern const struct sf_reader_maker sf_reader_by_postgresql, sf_reader_by_redshift;

/* "md5" and the MD5 of password and user name, in hexadecimal, as PostgreSQL stores it. Empty when the library has no MD5. */
struct sf_str sf_reader_md5(struct sf_arena *arena, struct sf_str password, struct sf_str reader);

#endif
