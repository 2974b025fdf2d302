/* Schemas: what attributes a kind has and what a difference in each of them does. Const tables, compiled from
 * schemas/kinds/<kind>.yaml at build time by engine/tools/schemac.c; nothing in here knows a kind by name. */
#ifndef SF_LANG_SCHEMA_H
#define SF_LANG_SCHEMA_H

#include "engine/lang/diag.h"

enum sf_attr_type {
    SF_T_STRING,
    SF_T_BOOL,
    SF_T_INT,
    SF_T_LIST,   /* of->type each */
    SF_T_MAP,    /* free string keys, of->type each */
    SF_T_OBJECT, /* fields[] */
    SF_T_JSON,   /* free JSON: plain true/false/null/numbers are typed, all else is string */
    SF_T_REF,    /* bare name of a resource of one of to[], or an arn:/id literal */
    SF_T_ANY,    /* whatever is written; plain scalars typed as in json */
};

enum sf_on_change { SF_CHANGE_UPDATE, SF_CHANGE_REPLACE, SF_CHANGE_IGNORE };
enum sf_equal { SF_EQUAL_EXACT, SF_EQUAL_UNORDERED, SF_EQUAL_CASE_FOLDED, SF_EQUAL_CIDR_SET, SF_EQUAL_IAM_POLICY, SF_EQUAL_JSON };
enum sf_replace_order { SF_DELETE_FIRST, SF_CREATE_FIRST, SF_ATTACHMENT };
enum sf_with_container { SF_FORGET_WITH_CONTAINER, SF_DESTROY_OWN };

struct sf_attr {
    const char *name;
    const char *summary;
    enum sf_attr_type type;
    const struct sf_attr *of;     /* element of a list or map; NULL otherwise */
    const struct sf_attr *fields; /* of an object */
    size_t n_fields;
    const char *const *enums;        /* NULL-terminated, or NULL */
    const char *const *to;           /* kinds a ref may name, NULL-terminated, or NULL */
    const char *ref_attr;            /* which attribute of the target stands for it; NULL: its id */
    const char *check;               /* named validator (schema.c), or NULL */
    const char *default_json;        /* JSON text, or NULL */
    const char *unset_json;          /* what removing the attribute sets; NULL: left alone */
    const char *derive;              /* name of the pure function; the driver's derive() computes it. NULL otherwise */
    const char *const *changes_with; /* computed: attributes whose change makes it unknown again */
    const char *world;               /* "local" or "aws" when only that world has it (written under local:/aws:), or NULL */
    int64_t min, max;                /* of an int, or of a string's length in characters */
    size_t max_items;                /* 0: no limit but the file's */
    enum sf_on_change on_change;
    enum sf_equal equal;
    bool has_min, has_max;
    bool is_required;
    bool is_computed;  /* the world chooses; unknown until applied */
    bool is_assigned;  /* optional, and the world may choose: omitted means what is recorded is right */
    bool is_preferred; /* assigned; the wish counts at create only (ports) */
    bool is_inside;    /* a ref: the object lives in the referenced one */
    bool
        is_severed; /* a ref that does not outlive what it points at: made again after that is replaced, though it reads the same */
    bool is_secret;
    bool is_write_only;
};

/* Deadlines, seconds. */
struct sf_timeouts {
    const char *world; /* "local" or "aws"; NULL: any */
    int create_s, update_s, destroy_s;
};

struct sf_schema {
    const char *kind;
    const char *summary;
    const char *identity; /* attribute that names the object to people */
    const struct sf_attr *attrs;
    size_t n_attrs;
    enum sf_replace_order replace_order;
    enum sf_with_container with_container;
    const char *pool; /* concurrency pool, or NULL */
    int pool_max;
    struct sf_timeouts timeouts[2]; /* any world's, then those of the one world that has its own */
};

/* Every kind, sorted by name; generated. */
extern const struct sf_schema *const sf_schemas[];
extern const size_t sf_schemas_count;

const struct sf_schema *sf_schema_find(struct sf_str kind);
const struct sf_timeouts *sf_schema_timeouts(const struct sf_schema *schema, struct sf_str world);
/* Index into schema->attrs, or -1. */
int sf_schema_attr(const struct sf_schema *schema, struct sf_str name);

/* Types and checks one value against an attribute: scalars by the schema, enums, ranges, validators, list and map
 * elements, object fields (unknown field: nearest name). Unknown values and secrets pass untouched (of a secret text the length is
 * checked). The typed value is *out. Diagnostics point at the value's mark; `what` names the attribute in them ("ingress[0].port").
 */
enum sf_code sf_schema_type(struct sf_arena *arena, const struct sf_attr *attr, const char *what, const struct sf_value *raw,
                            struct sf_diags *diags, const struct sf_value **out) SF_MUST_CHECK;
/* Whether two values of the attribute mean the same (the attribute's `equal`). A clear secret and a fingerprint are
 * compared through `fingerprint` (may be NULL: then unequal). */
typedef struct sf_str sf_fingerprint_fn(void *key, struct sf_arena *arena, struct sf_str clear);
bool sf_schema_equal(struct sf_arena *arena, const struct sf_attr *attr, const struct sf_value *a, const struct sf_value *b,
                     sf_fingerprint_fn *fingerprint, void *key);

#endif
