/* A small data set, its bucket, a real cluster, and the objects star, delivery and load around them, for tests of the data kinds.
 * Include it from one file of a test program. Run from the root of the source tree. */
#ifndef SF_TESTS_DATA_FIXTURE_H
#define SF_TESTS_DATA_FIXTURE_H

#include "tests/unit/resources/harness.h"

#include "attr/cluster.h"
#include "attr/load.h"
#include "attr/star_schema.h"
#include "attr/upload.h"
#include "engine/core/json.h"
#include "resources/data/sql.h"
#include "resources/local/objects.h"
#include "resources/local/postgres.h"
#include "resources/local/warehouse.h"

#include <zlib.h>

extern const struct sf_driver sf_driver_local_cluster, sf_driver_data_star_schema, sf_driver_data_load, sf_driver_data_upload;

/* The reader's password as sealed, of the resource at `address`. */
static inline const char *fixture_secret(const char *address)
{
    for (size_t i = 0; i < FAKE_SECRETS; i++)
        if (strcmp(fake_secrets[i].address, address) == 0)
            return fake_secrets[i].text;
    return "";
}

/* --- the world --- */

struct fixture {
    struct harness *h;
    struct sf_object cluster, role, bucket, dataset, user, server, key, upload, star, load;
    const struct sf_object *all[10];
    bool has_cluster;
};

static inline const struct sf_value *fixture_json(struct fixture *f, const char *text)
{
    const struct sf_value *value = NULL;
    assert_ok(f->h, sf_json_parse(f->h->arena, sf_str_of(text), "test", SF_JSON_PLAIN, &value, &f->h->err));
    return value;
}

static inline struct sf_op *fixture_op(struct fixture *f, struct sf_object *self)
{
    struct sf_op *op = harness_op(f->h);
    op->self = self;
    op->intent = sf_random_uuid(op->arena);
    return op;
}

static inline void fixture_meta(struct fixture *f, const char *path, const char *id, const char *attrs)
{
    struct sf_op *op = harness_op(f->h);
    op->self = &f->h->self;
    assert_ok(f->h,
              sf_territory_write_meta(op, sf_territory_path(op, "%s", path), sf_str_of(id), fixture_json(f, attrs), &f->h->err));
}

static inline struct sf_str fixture_pack(struct fixture *f, const char *text)
{
    size_t room = strlen(text) + 1024;
    char *packed = sf_arena_alloc(f->h->arena, room);
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = (unsigned char *)packed;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return (struct sf_str){packed, room - z.avail_out};
}

static inline void fixture_object(struct fixture *f, struct sf_object *o, const char *kind, const char *name, const char *id,
                                  const char *attrs, const char *refs)
{
    *o = (struct sf_object){.address = sf_str_fmt(f->h->arena, "%s.%s", kind, name),
                            .kind = sf_str_of(kind),
                            .name = sf_str_of(name),
                            .id = sf_str_of(id),
                            .attrs = fixture_json(f, attrs),
                            .refs = fixture_json(f, refs),
                            .deps = f->all,
                            .n_deps = SF_COUNT(f->all)};
}

/* --- the data set --- */

struct fixture_file {
    const char *table; /* or "" for the fact */
    const char *part;  /* NULL: the whole table */
    const char *text;  /* CSV with its header line */
    const char *facts; /* more fields, as JSON pairs with a leading comma */
};

#define PROGRAMS                                                                                                                   \
    "program_id,program,program_code,department,department_code,organization_group,organization_group_code,related_govt_units\n"   \
    "11,Patrol,PTL,POL Police,POL,Public Protection,01,No\n12,No Program,No Program Code,LIB Library,LIB,\"Culture, "              \
    "Recreation\",05,Yes\n"
#define TYPES                                                                                                                      \
    "type_id,sub_object,sub_object_code,object,object_code,character,character_code\n"                                             \
    "21,Overtime,00310,Salaries,500,Salaries,001\n22,Overtime Pay,00310,Pay,SAL,Wages,WAGES\n"
#define FUNDS                                                                                                                      \
    "fund_id,fund_category,fund_category_code,fund,fund_code,fund_type,fund_type_code\n31,Operating,1,General "                    \
    "Fund,GEN_FUND~10000,General,1G\n"
#define FINANCES "finance_id,revenue_or_spending\n1,Spending\n2,Revenue\n"
#define ALIAS_HEADER "dimension,level,member_id,fiscal_year,source_code,source_name,row_count,amount\n"
#define ALIASES_2024 ALIAS_HEADER "program,department,11,2024,POL,POL Police,3,60.25\n"
#define ALIASES_2025 ALIAS_HEADER "program,program,12,2025,,,1,-5.00\n"
#define CROSSWALK "legacy_type_id,current_type_id,basis\n21,22,same_sub_object_code\n"
#define FACT_HEADER "transaction_id,fiscal_year,program_id,type_id,fund_id,finance_id,amount\n"
#define FACTS_2024 FACT_HEADER "1001,2024,11,21,31,1,10.00\n1002,2024,11,21,31,1,20.25\n1003,2024,12,21,31,2,30.00\n"
#define FACTS_2025 FACT_HEADER "1004,2025,11,22,31,1,40.00\n1005,2025,12,22,31,1,-5.00\n"

static const struct fixture_file fixture_files[] = {
    {"program", NULL, PROGRAMS, ""},
    {"type", NULL, TYPES, ""},
    {"fund", NULL, FUNDS, ""},
    {"finance", NULL, FINANCES, ""},
    {"code_alias", "2024", ALIASES_2024, ""},
    {"type_crosswalk", NULL, CROSSWALK, ""},
    {"", "2024", FACTS_2024, ",\"spending_rows\":2,\"spending_cents\":3025,\"revenue_rows\":1,\"revenue_cents\":3000"},
    {"", "2025", FACTS_2025, ",\"spending_rows\":2,\"spending_cents\":3500,\"revenue_rows\":0,\"revenue_cents\":0"},
    {"code_alias", "2025", ALIASES_2025, ""},
};

static inline void fixture_write(const char *path, struct sf_str bytes)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.p, 1, bytes.n, file), bytes.n);
    fclose(file);
}

/* Puts a file into the cache and adds to `out` what a data set says of it. */
static inline int fixture_put(struct fixture *f, const struct fixture_file *file, struct sf_buf *out)
{
    struct sf_arena *arena = f->h->arena;
    struct sf_str packed = fixture_pack(f, file->text), sha256 = sf_sha256_hex(arena, packed);
    const char *table = file->table[0] ? file->table : "transaction";
    const char *folder = file->part ? sf_str_fmt(arena, "%s/fy=%s", table, file->part).p : table;
    const char *objects = sf_str_fmt(arena, "%s/objects", f->h->site.cache_dir).p;
    assert_int_equal(system(sf_str_fmt(arena, "mkdir -p %s/%s", objects, folder).p), 0);
    fixture_write(sf_str_fmt(arena, "%s/%s/%.16s.csv.gz", objects, folder, sha256.p).p, packed);
    int rows = -1;
    for (const char *p = file->text; *p; p++)
        rows += *p == '\n';
    sf_buf_addf(out, "\"%s\":{\"key\":\"%s/%.16s.csv.gz\",\"rows\":%d,\"bytes\":%zu,\"sha256\":\"%.*s\",\"digest\":\"%.16s\"%s",
                file->part ? file->part : table, folder, sha256.p, rows, packed.n, SF_ARG(sha256),
                sf_sha256_hex(arena, sf_str_of(file->text)).p, file->facts);
    return rows;
}

static inline void fixture_columns(const char *text, struct sf_buf *out)
{
    sf_buf_addz(out, "\"columns\":[\"");
    for (const char *p = text; *p != '\n'; p++)
        if (*p == ',')
            sf_buf_addz(out, "\",\"");
        else
            sf_buf_addc(out, *p);
    sf_buf_addz(out, "\"]");
}

/* Of a table in parts: all of them among `files`. */
static inline void fixture_parts(struct fixture *f, const char *table, const struct fixture_file *files, size_t n,
                                 struct sf_buf *out)
{
    int rows = 0;
    const char *text = NULL;
    sf_buf_addf(out, "\"%s\":{\"parts\":{", table);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(files[i].table, table) != 0)
            continue;
        sf_buf_addz(out, text ? "," : "");
        text = files[i].text;
        rows += fixture_put(f, &files[i], out);
        sf_buf_addc(out, '}');
    }
    sf_buf_addf(out, "},\"rows\":%d,", rows);
    fixture_columns(text, out);
    sf_buf_addc(out, '}');
}

/* Puts the files into the cache and says so in the data set's attributes. */
static inline void fixture_dataset(struct fixture *f, const struct fixture_file *files, size_t n, const char *more)
{
    struct sf_arena *arena = f->h->arena;
    struct sf_buf tables = SF_BUF(1 << 20), years = SF_BUF(1 << 20);
    for (size_t i = 0; i < n; i++) {
        bool is_fact = files[i].table[0] == 0, is_known = false;
        struct sf_buf *out = is_fact ? &years : &tables;
        for (size_t k = 0; !is_fact && k < i; k++)
            is_known |= strcmp(files[k].table, files[i].table) == 0;
        if (is_known)
            continue;
        sf_buf_addz(out, out->n ? "," : "");
        if (!is_fact && files[i].part) {
            fixture_parts(f, files[i].table, files, n, out);
            continue;
        }
        fixture_put(f, &files[i], out);
        if (!is_fact) {
            sf_buf_addc(out, ',');
            fixture_columns(files[i].text, out);
        }
        sf_buf_addc(out, '}');
    }
    struct sf_str attrs =
        sf_str_fmt(arena,
                   "{\"rules\":\"0123456789abcdef\",\"snapshot\":\"fedcba9876543210\",\"is_sample\":true,\"rejected\":0,"
                   "\"data_as_of\":\"2025-03-01T10:00:00.000\",\"tables\":{%s},\"years\":{%s},\"fact_columns\":[\"transaction_id\","
                   "\"fiscal_year\",\"program_id\",\"type_id\",\"fund_id\",\"finance_id\",\"amount\"]%s}",
                   tables.p, years.n ? years.p : "", more);
    f->dataset.attrs = fixture_json(f, attrs.p);
    sf_buf_free(&tables);
    sf_buf_free(&years);
}

/* Copies the cache into the bucket, with manifests and commit file, as an upload would; sets the upload's attributes. */
static inline void fixture_deliver(struct fixture *f)
{
    struct sf_op *op = fixture_op(f, &f->upload);
    struct sf_value *want = sf_value_map(op->arena);
    struct sf_outcome out = {0};
    assert_ok(f->h, sf_driver_data_upload.derive(op, want, &f->h->err));
    assert_ok(f->h, sf_driver_data_upload.create(op, want, &out, &f->h->err));
    f->upload.attrs = out.attrs;
    f->upload.id = out.id;
}

/* --- SFTP, played by the bucket itself --- */

#include "resources/net/sftp.h"

static struct fixture *sftp_fixture;
static int sftp_puts;
static char sftp_last[512];

enum sf_code sf_sftp_connect(struct sf_arena *arena, const struct sf_sftp_target *target, struct sf_sftp **out, struct sf_err *err)
{
    (void)arena;
    (void)err;
    assert_true(target->n_fingerprints == 1 && sf_str_is(target->private_key, "a private key"));
    *out = NULL;
    return SF_OK;
}

void sf_sftp_close(struct sf_sftp *s)
{
    (void)s;
}

enum sf_code sf_sftp_put_bytes(struct sf_sftp *s, struct sf_str path, struct sf_str bytes, struct sf_err *err)
{
    struct sf_op op = sftp_fixture->h->op;
    (void)s;
    sftp_puts++;
    snprintf(sftp_last, sizeof sftp_last, "%.*s", SF_ARG(path));
    return sf_local_bucket_put(&op, &sftp_fixture->bucket, path, bytes, err);
}

enum sf_code sf_sftp_put_file(struct sf_sftp *s, struct sf_str path, const char *local_path, int64_t *sent, struct sf_err *err)
{
    static char bytes[65536];
    FILE *file = fopen(local_path, "r");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    if (sent)
        *sent = (int64_t)n;
    return sf_sftp_put_bytes(s, path, (struct sf_str){bytes, n}, err);
}

/* --- start and stop --- */

/* `with_cluster`: a PostgreSQL is started too. */
static inline struct fixture *fixture_start(bool with_cluster)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    sftp_fixture = f;
    fake_forget_secrets();
    f->h = harness_new("cluster.dw");
    struct sf_arena *arena = f->h->arena;
    f->h->world = (struct sf_world){.dialect = &sf_dialect_postgresql,
                                    .name = "local",
                                    .bucket_list = sf_local_bucket_list,
                                    .bucket_open = sf_local_bucket_open,
                                    .bucket_put = sf_local_bucket_put,
                                    .bucket_delete = sf_local_bucket_delete,
                                    .warehouse_query = sf_local_warehouse_query,
                                    .warehouse_stage = sf_local_warehouse_stage,
                                    .warehouse_run = sf_local_warehouse_run,
                                    .warehouse_control = sf_local_warehouse_control};
    char cwd[4096];
    assert_non_null(getcwd(cwd, sizeof cwd));
    f->h->site.share_dir = sf_str_dup(arena, sf_str_of(cwd)).p;
    f->h->site.secrets_dir = sf_str_fmt(arena, "%s/it's secret", f->h->dir).p;
    assert_int_equal(mkdir(f->h->site.secrets_dir, 0700), 0);
    const struct sf_object *all[] = {&f->cluster, &f->role, &f->bucket, &f->dataset, &f->user,
                                     &f->server,  &f->key,  &f->upload, &f->star,    &f->load};
    memcpy(f->all, all, sizeof all);

    fixture_object(f, &f->cluster, "cluster", "dw", "dw", "{}", "{}");
    struct sf_value *want = sf_value_map(arena);
    struct sf_outcome out = {0};
    sf_map_set_str(arena, want, CLUSTER_IDENTIFIER, SF_STR("dw"));
    sf_map_set_str(arena, want, CLUSTER_DATABASE, SF_STR("san_francisco"));
    sf_map_set_str(arena, want, CLUSTER_USERNAME, SF_STR("steward"));
    sf_map_set(arena, want, SF_STR(CLUSTER_PASSWORD), sf_value_secret(arena, SF_STR("Correct-horse-battery-1")));
    sf_map_set(arena, want, SF_STR(CLUSTER_ROLES), fixture_json(f, "[\"arn:aws:iam::000000000000:role/loader\"]"));
    sf_map_set_int(arena, want, CLUSTER_PORT, harness_free_port());
    struct sf_op *op = harness_op(f->h);
    op->self = &f->h->self;
    f->has_cluster = with_cluster;
    if (with_cluster)
        assert_ok(f->h, sf_driver_local_cluster.create(op, want, &out, &f->h->err));
    sf_map_set_str(arena, want, CLUSTER_HOST, SF_STR("127.0.0.1"));
    f->cluster.attrs = want;

    assert_ok(f->h, sf_territory_mkdir(op, sf_territory_path(op, "buckets/landing/data"), 0700, &f->h->err));
    assert_ok(f->h, sf_territory_mkdir(op, sf_territory_path(op, "iam/policies"), 0700, &f->h->err));
    assert_ok(f->h, sf_territory_mkdir(op, sf_territory_path(op, "iam/roles"), 0700, &f->h->err));
    fixture_meta(
        f, "iam/policies/read.json", "arn:aws:iam::000000000000:policy/read",
        "{\"name\":\"read\",\"document\":{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\","
        "\"Resource\":\"*\"}]}}");
    fixture_meta(f, "iam/roles/loader.json", "loader",
                 "{\"name\":\"loader\",\"trust\":\"redshift\",\"policies\":[\"arn:aws:iam::000000000000:policy/read\"]}");
    fixture_object(f, &f->role, "role", "load_role", "loader", "{}", "{}");
    fixture_object(f, &f->bucket, "bucket", "landing", "landing", "{\"name\":\"landing\"}", "{}");
    fixture_object(f, &f->server, "sftp_server", "sftp", "s-1",
                   "{\"host\":\"127.0.0.1\",\"port\":22,\"host_key_fingerprints\":[\"SHA256:x\"]}", "{}");
    fixture_object(f, &f->user, "sftp_user", "uploader", "s-1/uploader", "{\"name\":\"uploader\"}",
                   "{\"server\":\"sftp_server.sftp\"}");
    fixture_object(f, &f->key, "ssh_key", "uploader_key", "k", "{}", "{}");
    struct sf_op seal = *op;
    seal.self = &f->key;
    assert_ok(f->h, sf_op_seal(&seal, "private_key", SF_STR("a private key"), &f->h->err));
    fixture_object(f, &f->dataset, "dataset", "spending_revenue", "d", "{}", "{}");
    fixture_object(f, &f->upload, "upload", "delivery", "", "{}",
                   "{\"of\":\"dataset.spending_revenue\",\"to\":\"bucket.landing\",\"as\":\"sftp_user.uploader\",\"key\":\"ssh_key."
                   "uploader_key\"}");
    fixture_object(f, &f->star, "star_schema", "star", "",
                   "{\"schema\":\"report\",\"tables\":\"builtin:sf/star\",\"reader\":\"analyst\"}", "{\"cluster\":\"cluster.dw\"}");
    fixture_object(f, &f->load, "load", "weekly_load", "", "{\"checks\":\"builtin:sf/checks\"}",
                   "{\"into\":\"star_schema.star\",\"from\":\"upload.delivery\",\"role\":\"role.load_role\"}");
    fixture_dataset(f, fixture_files, SF_COUNT(fixture_files), "");
    return f;
}

static inline struct fixture *fixture_new(void)
{
    return fixture_start(true);
}

static inline void fixture_free(struct fixture *f)
{
    struct sf_outcome out;
    struct sf_op *op = harness_op(f->h);
    op->self = &f->h->self;
    if (f->has_cluster)
        assert_ok(f->h, sf_driver_local_cluster.destroy(op, SF_STR("dw"), &out, &f->h->err));
    harness_free(f->h);
    free(f);
}

/* What an object wants: its attributes with the derived ones. */
static inline struct sf_value *fixture_want(struct fixture *f, struct sf_object *o, const struct sf_driver *driver)
{
    struct sf_op *op = fixture_op(f, o);
    struct sf_value *want = sf_value_map(op->arena);
    for (size_t i = 0; i < o->attrs->map.n; i++)
        sf_map_add(op->arena, want, o->attrs->map.pairs[i].key, o->attrs->map.pairs[i].value);
    assert_ok(f->h, driver->derive(op, want, &f->h->err));
    return want;
}

/* First column of the first row as text, as the superuser. */
static inline const char *fixture_ask(struct fixture *f, const char *sql)
{
    const struct sf_value *rows = NULL;
    struct sf_op *op = fixture_op(f, &f->star);
    assert_ok(f->h, sf_local_warehouse_query(op, &f->cluster, sf_str_of(sql), &rows, &f->h->err));
    return sf_rows_count(rows) ? sf_str_dup(op->arena, sf_rows_text(rows, 0, 0)).p : "";
}

static inline void fixture_sql(struct fixture *f, const char *sql)
{
    struct sf_statement statement = {.what = "by hand", .sql = sf_str_of(sql)};
    size_t failed;
    assert_ok(f->h, sf_local_warehouse_control(fixture_op(f, &f->star), &f->cluster, &statement, 1, NULL, &failed, &f->h->err));
}

#endif
