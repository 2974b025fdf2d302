/* Loads into a real PostgreSQL: what arrives, and what a role, an object or a password that is not right does to them. */
#include "tests/unit/resources/harness.h"

#include "attr/cluster.h"
#include "resources/local/objects.h"
#include "resources/local/postgres.h"
#include "resources/local/warehouse.h"

#include <zlib.h>

extern const struct sf_driver sf_driver_local_cluster;

static struct harness *h;
static struct sf_object cluster, role, bucket;
static const char password[] = "Correct-horse-battery-1";

static const struct sf_value *json(const char *text)
{
    const struct sf_value *value = NULL;
    assert_ok(h, sf_json_parse(h->arena, sf_str_of(text), "test", SF_JSON_PLAIN, &value, &h->err));
    return value;
}

static void write_object(const char *path, const char *id, const char *attrs)
{
    struct sf_op *op = harness_op(h);
    assert_ok(h, sf_territory_write_meta(op, sf_territory_path(op, "%s", path), sf_str_of(id), json(attrs), &h->err));
}

static void grant(const char *statements)
{
    struct sf_str document =
        sf_str_fmt(h->arena, "{\"name\":\"read\",\"document\":{\"Version\":\"2012-10-17\",\"Statement\":[%s]}}", statements);
    write_object("iam/policies/read.json", "arn:aws:iam::000000000000:policy/read", document.p);
}

#define LIST_STATEMENT "{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\",\"Resource\":\"arn:aws:s3:::landing\"}"
#define GET_STATEMENT "{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::landing/*\"}"

static void trust(const char *service)
{
    struct sf_str attrs = sf_str_fmt(
        h->arena, "{\"name\":\"loader\",\"trust\":\"%s\",\"policies\":[\"arn:aws:iam::000000000000:policy/read\"]}", service);
    write_object("iam/roles/loader.json", "loader", attrs.p);
}

static void put_packed(const char *key, const char *text, size_t cut)
{
    unsigned char packed[4096];
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = packed;
    z.avail_out = sizeof packed;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    struct sf_str bytes = {(const char *)packed, sizeof packed - z.avail_out - cut};
    assert_ok(h, sf_local_bucket_put(harness_op(h), &bucket, sf_str_of(key), bytes, &h->err));
}

static int start_world(void **state)
{
    (void)state;
    h = harness_new("cluster.dw");
    h->world.bucket_open = sf_local_bucket_open;
    struct sf_value *want = sf_value_map(h->arena);
    struct sf_outcome out = {0};
    sf_map_set_str(h->arena, want, CLUSTER_IDENTIFIER, SF_STR("dw"));
    sf_map_set_str(h->arena, want, CLUSTER_DATABASE, SF_STR("db"));
    sf_map_set_str(h->arena, want, CLUSTER_USERNAME, SF_STR("steward"));
    sf_map_set(h->arena, want, SF_STR(CLUSTER_PASSWORD), sf_value_secret(h->arena, sf_str_of(password)));
    sf_map_set(h->arena, want, SF_STR(CLUSTER_ROLES), json("[\"arn:aws:iam::000000000000:role/loader\"]"));
    sf_map_set_int(h->arena, want, CLUSTER_PORT, harness_free_port());
    assert_ok(h, sf_driver_local_cluster.create(harness_op(h), want, &out, &h->err));
    cluster = (struct sf_object){.id = SF_STR("dw"), .address = SF_STR("cluster.dw"), .attrs = want};
    role = (struct sf_object){.id = SF_STR("loader"), .name = SF_STR("load_role"), .attrs = json("{}")};
    bucket = (struct sf_object){.id = SF_STR("landing"), .attrs = json("{}")};
    struct sf_op *op = harness_op(h);
    assert_ok(h, sf_territory_mkdir(op, sf_territory_path(op, "buckets/landing/data"), 0700, &h->err));
    assert_ok(h, sf_territory_mkdir(op, sf_territory_path(op, "iam/policies"), 0700, &h->err));
    assert_ok(h, sf_territory_mkdir(op, sf_territory_path(op, "iam/roles"), 0700, &h->err));
    put_packed("t/a.csv.gz", "id,name\n1,one\n2,\"two, quoted\"\n", 0);
    put_packed("t/b.csv.gz", "id,name\n3,\n", 0);
    put_packed("t/short.csv.gz", "id,name\n4,four\n5,five\n", 6);
    put_packed("t/bad.csv.gz", "id,name\nx,four\n", 0);
    assert_ok(h, sf_local_bucket_put(harness_op(h), &bucket, SF_STR("t/plain.csv.gz"), SF_STR("id,name\n1,one\n"), &h->err));
    return 0;
}

static int stop_world(void **state)
{
    (void)state;
    struct sf_outcome out;
    assert_ok(h, sf_driver_local_cluster.destroy(harness_op(h), SF_STR("dw"), &out, &h->err));
    harness_free(h);
    return 0;
}

static int allow_all(void **state)
{
    (void)state;
    trust("redshift");
    grant(LIST_STATEMENT "," GET_STATEMENT);
    return 0;
}

/* Makes table `t`, copies the keys (NULL-terminated) into it and counts: all in one transaction. */
static enum sf_code load(const char *const *keys, const char **count)
{
    struct sf_str list[4];
    size_t n = 0, failed = 99;
    const struct sf_value *rows = NULL;
    for (; keys[n]; n++)
        list[n] = sf_str_of(keys[n]);
    struct sf_statement steps[] = {
        {.sql = SF_STR("DROP TABLE IF EXISTS t")},
        {.sql = SF_STR("CREATE TABLE t (id int, name text)")},
        {.what = "copy t",
         .table = SF_STR("\"public\".\"t\""),
         .columns = SF_STR("\"id\", \"name\""),
         .bucket = &bucket,
         .role = &role,
         .keys = list,
         .n_keys = n,
         .freeze = true},
        {.sql = SF_STR("SELECT string_agg(id || '=' || coalesce(name, '(null)'), ' ' ORDER BY id) FROM t"), .wants_rows = true},
    };
    enum sf_code rc = sf_local_warehouse_run(harness_op(h), &cluster, steps, SF_COUNT(steps), &rows, &failed, &h->err);
    *count = rc ? "" : rows->list.items[3]->list.items[0]->list.items[0]->s.p;
    assert_true(rc == SF_OK || failed == 2);
    return rc;
}

static bool table_exists(void)
{
    const struct sf_value *rows = NULL;
    assert_ok(h, sf_local_warehouse_query(harness_op(h), &cluster, SF_STR("SELECT to_regclass('t')"), &rows, &h->err));
    return rows->list.items[0]->list.items[0]->type == SF_V_STRING;
}

static void refused_loads_name_what_is_missing(void **state)
{
    static const char *const keys[] = {"t/a.csv.gz", NULL};
    const char *got;
    (void)state;
    grant(LIST_STATEMENT);
    assert_int_equal(load(keys, &got), SF_E_DENIED);
    assert_has(h->err.message, "s3:GetObject");
    assert_has(h->err.hint, "Resource: \"arn:aws:s3:::landing/*\"");
    grant(GET_STATEMENT);
    assert_int_equal(load(keys, &got), SF_E_DENIED);
    assert_has(h->err.hint, "Action: s3:ListBucket, Resource: \"arn:aws:s3:::landing\"");
    grant(LIST_STATEMENT "," GET_STATEMENT
                         ",{\"Sid\":\"No\",\"Effect\":\"Deny\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::landing/t/a*\"}");
    assert_int_equal(load(keys, &got), SF_E_DENIED);
    assert_has(h->err.message, "statement No");
    grant(LIST_STATEMENT "," GET_STATEMENT);
    trust("transfer");
    assert_int_equal(load(keys, &got), SF_E_DENIED);
    assert_has(h->err.message, "trust");
    trust("redshift");
    struct sf_object other = role;
    role.id = SF_STR("nobody");
    assert_int_equal(load(keys, &got), SF_E_DENIED);
    write_object("iam/roles/nobody.json", "nobody", "{\"trust\":\"redshift\",\"policies\":[]}");
    assert_int_equal(load(keys, &got), SF_E_DENIED);
    assert_has(h->err.message, "not attached");
    role = other;
    assert_false(table_exists());
}

static void all_objects_arrive_in_one_transaction(void **state)
{
    const char *got;
    (void)state;
    assert_ok(h, load((const char *const[]){"t/a.csv.gz", "t/b.csv.gz", NULL}, &got));
    assert_string_equal(got, "1=one 2=two, quoted 3=(null)");
    assert_true(table_exists());
}

static void a_damaged_object_leaves_the_old_table(void **state)
{
    static const struct {
        const char *key;
        enum sf_code code;
        const char *says;
    } cases[] = {
        {"t/short.csv.gz", SF_E_DATA, "cut off"},
        {"t/plain.csv.gz", SF_E_DATA, "damaged"},
        {"t/none.csv.gz", SF_E_DATA, "not in the bucket"},
        {"t/bad.csv.gz", SF_E_REFUSED, "line 2, column id"},
    };
    const char *got;
    (void)state;
    assert_ok(h, load((const char *const[]){"t/b.csv.gz", NULL}, &got));
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        assert_int_equal(load((const char *const[]){"t/a.csv.gz", cases[i].key, NULL}, &got), cases[i].code);
        assert_has(h->err.message, cases[i].says);
        assert_has(h->err.message, cases[i].key);
    }
    const struct sf_value *rows = NULL;
    assert_ok(h, sf_local_warehouse_query(harness_op(h), &cluster, SF_STR("SELECT id FROM t"), &rows, &h->err));
    assert_true(sf_str_is(rows->list.items[0]->list.items[0]->s, "3"));
}

static void a_password_changed_in_the_database_is_put_back(void **state)
{
    const struct sf_value *rows;
    size_t failed;
    const char *got;
    (void)state;
    struct sf_statement change[] = {{.sql = SF_STR("ALTER ROLE steward PASSWORD 'Something-else-1'")}};
    assert_ok(h, sf_local_warehouse_control(harness_op(h), &cluster, change, 1, &rows, &failed, &h->err));
    assert_ok(h, load((const char *const[]){"t/a.csv.gz", NULL}, &got));
    assert_has(harness_warnings, "put back");
}

static void without_its_password_a_load_says_where_it_comes_from(void **state)
{
    const char *got;
    (void)state;
    const struct sf_value *attrs = cluster.attrs;
    cluster.attrs = json("{}");
    struct sf_statement one[] = {{.sql = SF_STR("SELECT 1")}};
    const struct sf_value *rows;
    size_t failed;
    assert_int_equal(sf_local_warehouse_run(harness_op(h), &cluster, one, 1, &rows, &failed, &h->err), SF_E_AUTH);
    cluster.attrs = attrs;
    assert_ok(h, load((const char *const[]){"t/a.csv.gz", NULL}, &got));
}

/* The log is read for all three ways to the server; postgres_log_test.c has what may stand in it. */
static void a_lost_connection_is_explained_by_the_servers_log(void **state)
{
    (void)state;
    struct sf_statement end[] = {{.sql = SF_STR("SELECT pg_terminate_backend(pg_backend_pid())")}};
    const struct sf_value *rows;
    size_t failed;
    static const char why[] = "cluster 'dw' gave up (terminating connection due to administrator command): lost the connection";
    assert_int_equal(sf_local_warehouse_run(harness_op(h), &cluster, end, 1, &rows, &failed, &h->err), SF_E_UNAVAILABLE);
    assert_has(h->err.message, why);
    assert_int_equal(sf_local_warehouse_control(harness_op(h), &cluster, end, 1, &rows, &failed, &h->err), SF_E_UNAVAILABLE);
    assert_has(h->err.message, why);
    assert_int_equal(sf_local_warehouse_query(harness_op(h), &cluster, end[0].sql, &rows, &h->err), SF_E_UNAVAILABLE);
    assert_has(h->err.message, why);
}

int main(void)
{
    sf_pg_forget_environment();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(refused_loads_name_what_is_missing, allow_all),
        cmocka_unit_test_setup(all_objects_arrive_in_one_transaction, allow_all),
        cmocka_unit_test_setup(a_damaged_object_leaves_the_old_table, allow_all),
        cmocka_unit_test_setup(a_password_changed_in_the_database_is_put_back, allow_all),
        cmocka_unit_test_setup(without_its_password_a_load_says_where_it_comes_from, allow_all),
        cmocka_unit_test(a_lost_connection_is_explained_by_the_servers_log),
    };
    return cmocka_run_group_tests(tests, start_world, stop_world);
}
