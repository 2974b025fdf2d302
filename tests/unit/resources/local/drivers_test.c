/* The kinds that are files of the territory: one life each under the driver contract, drift by hand, strangers' objects. */
#include "attr/bucket.h"
#include "attr/ssh_key.h"
#include "engine/core/json.h"
#include "resources/iam/iam.h"
#include "resources/local/objects.h"
#include "resources/local/role_policies.h"
#include "tests/unit/resources/harness.h"

extern const struct sf_driver sf_driver_local_bucket, sf_driver_local_policy, sf_driver_local_role, sf_driver_local_security_group,
    sf_driver_local_ssh_key;

static struct harness *h;
static int enforced;
static struct sf_outcome out;

/* stands for enforce.c: the servers have tests of their own */
enum sf_code sf_local_enforce(struct sf_op *op, struct sf_err *err)
{
    (void)op;
    (void)err;
    enforced++;
    return SF_OK;
}

static int setup(void **state)
{
    (void)state;
    h = harness_new("kind.landing");
    h->self.name = SF_STR("landing");
    fake_forget_secrets();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_free(h);
    return 0;
}

static struct sf_value *parse(const char *json)
{
    const struct sf_value *v;
    struct sf_err err = {0};
    if (sf_json_parse(h->arena, sf_str_of(json), "case", SF_JSON_PLAIN, &v, &err))
        fail_msg("bad test case: %s", err.message);
    struct sf_value *copy = sf_value_map(h->arena);
    for (size_t i = 0; i < v->map.n; i++)
        sf_map_add(h->arena, copy, v->map.pairs[i].key, v->map.pairs[i].value);
    return copy;
}

static struct sf_op *op_now(void)
{
    memset(&out, 0, sizeof(out));
    enforced = 0;
    return harness_op(h);
}

/* What the engine does before create and update. */
static struct sf_value *wanted(const struct sf_driver *driver, const char *json)
{
    struct sf_value *want = parse(json);
    if (driver->derive)
        assert_ok(h, driver->derive(op_now(), want, &h->err));
    h->self.attrs = want;
    return want;
}

static struct sf_str make(const struct sf_driver *driver, const char *json)
{
    struct sf_value *want = wanted(driver, json);
    assert_ok(h, driver->create(op_now(), want, &out, &h->err));
    h->self.id = sf_str_dup(h->arena, out.id);
    return h->self.id;
}

#define POLICY_JSON                                                                                                                \
    "{\"name\":\"landing-write\",\"document\":{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:"   \
    "PutObject\","                                                                                                                 \
    "\"Resource\":\"arn:aws:s3:::landing/*\"}]}}"

static const struct subject {
    const struct sf_driver *driver;
    const char *first, *second; /* second: an update of first */
    const char *changed;        /* attribute that differs */
    const char *file;           /* pattern of the object's file, %s is the id or, if given, name */
    const char *name;
} subjects[] = {
    {&sf_driver_local_bucket, "{\"name\":\"landing\",\"versioning\":false,\"tags\":{}}",
     "{\"name\":\"landing\",\"versioning\":true,\"tags\":{\"a\":\"b\"}}", "versioning", "buckets/%s/meta.json", NULL},
    {&sf_driver_local_policy, POLICY_JSON,
     "{\"name\":\"landing-write\",\"document\":{\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}]}}",
     "document", "iam/policies/%s.json", "landing-write"},
    {&sf_driver_local_role, "{\"name\":\"sftp\",\"trust\":\"transfer\",\"policies\":[],\"inline\":{},\"tags\":{}}",
     "{\"name\":\"sftp\",\"trust\":\"redshift\",\"policies\":[\"arn:aws:iam::000000000000:policy/x\"],\"inline\":{},\"tags\":{}}",
     "trust", "iam/roles/%s.json", NULL},
    {&sf_driver_local_security_group, "{\"name\":\"sql\",\"description\":\"d\",\"ingress\":[],\"tags\":{}}",
     "{\"name\":\"sql\",\"description\":\"d\",\"ingress\":[{\"protocol\":\"tcp\",\"port\":5439,\"from\":[\"10.0.0.0/"
     "8\"]}],\"tags\":{}}",
     "ingress", "security_groups/%s.json", NULL},
};

static const char *file_of(const struct subject *s, struct sf_str id)
{
    struct sf_str name = s->name ? sf_str_of(s->name) : id;
    const char *at = strstr(s->file, "%s");
    return sf_territory_path(&h->op, "%.*s%.*s%s", (int)(at - s->file), s->file, SF_ARG(name), at + 2);
}

static void every_kind_lives_by_the_contract(void **state)
{
    (void)state;
    for (size_t i = 0; i < SF_COUNT(subjects); i++) {
        const struct subject *s = &subjects[i];
        const struct sf_driver *d = s->driver;
        struct sf_value *want = wanted(d, s->first);
        print_message("  %s\n", d->kind);
        assert_ok(h, d->preflight(op_now(), want, &h->err));
        assert_int_equal(d->find(op_now(), want, &out, &h->err), SF_E_ABSENT);

        struct sf_str id = make(d, s->first);
        assert_true(id.n > 0);
        assert_string_equal(fake_made, id.p);
        assert_int_equal(enforced, 1);
        assert_has(fake_calls, "made");

        /* as created; found again by its intent; created again by the same intent it is the same */
        assert_ok(h, d->read(op_now(), id, &out, &h->err));
        for (size_t k = 0; k < h->self.attrs->map.n; k++)
            assert_true(sf_value_equal(h->self.attrs->map.pairs[k].value, sf_map_get(out.attrs, h->self.attrs->map.pairs[k].key)));
        assert_ok(h, d->find(op_now(), want, &out, &h->err));
        assert_true(sf_str_eq(out.id, id));
        assert_true(sf_str_eq(make(d, s->first), id));

        /* updated */
        const struct sf_value *have = h->self.attrs;
        want = wanted(d, s->second);
        assert_ok(h, d->update(op_now(), id, have, want, &out, &h->err));
        assert_int_equal(enforced, 1);
        assert_ok(h, d->read(op_now(), id, &out, &h->err));
        assert_true(sf_value_equal(sf_map_getz(want, s->changed), sf_map_getz(out.attrs, s->changed)));
        assert_false(sf_value_equal(sf_map_getz(have, s->changed), sf_map_getz(out.attrs, s->changed)));

        /* destroyed, twice */
        assert_ok(h, d->destroy(op_now(), id, &out, &h->err));
        assert_int_equal(access(file_of(s, id), F_OK), -1);
        assert_int_equal(d->read(op_now(), id, &out, &h->err), SF_E_ABSENT);
        assert_ok(h, d->destroy(op_now(), id, &out, &h->err));
    }
}

static void what_another_lineage_made_is_a_conflict(void **state)
{
    (void)state;
    for (size_t i = 0; i < SF_COUNT(subjects); i++) {
        const struct sf_driver *d = subjects[i].driver;
        struct sf_str id = make(d, subjects[i].first);
        h->site.lineage = SF_STR("22222222-2222-4333-8444-555555555555");
        h->op.intent = SF_STR("88888888-2222-4333-8444-555555555555");
        struct sf_value *want = wanted(d, subjects[i].first);
        assert_int_equal(d->preflight(op_now(), want, &h->err), SF_E_CONFLICT);
        assert_has(h->err.hint, "put that state.db back");
        assert_int_equal(d->create(op_now(), want, &out, &h->err), SF_E_CONFLICT);
        assert_string_equal(fake_calls, "");
        assert_int_equal(d->find(op_now(), want, &out, &h->err), SF_E_ABSENT);
        assert_int_equal(d->read(op_now(), id, &out, &h->err), SF_E_CONFLICT);
        assert_int_equal(d->destroy(op_now(), id, &out, &h->err), SF_E_CONFLICT);
        assert_int_equal(access(file_of(&subjects[i], id), F_OK), 0);
        h->site.lineage = SF_STR("11111111-2222-4333-8444-555555555555");
        h->op.intent = SF_STR("99999999-2222-4333-8444-555555555555");
        assert_ok(h, d->destroy(op_now(), id, &out, &h->err));
    }
}

static void another_resource_of_the_stack_cannot_take_the_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < SF_COUNT(subjects); i++) {
        const struct sf_driver *d = subjects[i].driver;
        struct sf_str id = make(d, subjects[i].first);
        h->self.address = SF_STR("kind.other");
        h->op.intent = SF_STR("77777777-2222-4333-8444-555555555555");
        assert_int_equal(d->create(op_now(), wanted(d, subjects[i].first), &out, &h->err), SF_E_CONFLICT);
        assert_has(h->err.message, "kind.landing");
        h->self.address = SF_STR("kind.landing");
        h->op.intent = SF_STR("99999999-2222-4333-8444-555555555555");
        assert_ok(h, d->destroy(op_now(), id, &out, &h->err));
    }
}

static void nothing_is_written_when_the_journal_says_no(void **state)
{
    (void)state;
    for (size_t i = 0; i < SF_COUNT(subjects); i++) {
        const struct sf_driver *d = subjects[i].driver;
        struct sf_value *want = wanted(d, subjects[i].first);
        struct sf_op *op = op_now();
        fake_intent_fails = SF_E_CANCELLED;
        assert_int_equal(d->create(op, want, &out, &h->err), SF_E_CANCELLED);
        assert_int_equal(d->find(op_now(), want, &out, &h->err), SF_E_ABSENT);
    }
}

static void a_file_damaged_by_hand_is_an_error_with_a_way_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < SF_COUNT(subjects); i++) {
        const struct sf_driver *d = subjects[i].driver;
        struct sf_str id = make(d, subjects[i].first);
        assert_ok(h, sf_territory_write_file(op_now(), file_of(&subjects[i], id), SF_STR("{\"owner\":"), 0600, &h->err));
        assert_int_equal(d->read(op_now(), id, &out, &h->err), SF_E_IO);
        assert_has(h->err.hint, "sfapply");
        assert_ok(h, sf_territory_remove_tree(op_now(), file_of(&subjects[i], id), &h->err));
        assert_int_equal(d->read(op_now(), id, &out, &h->err), SF_E_ABSENT);
    }
}

static void ids_from_hostile_state_never_become_paths(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "../../etc/passwd", "sg-/../x", "arn:aws:iam::000000000000:policy/../x", ".hidden",
                                      "key-/x"};
    static const struct sf_driver *const drivers[] = {&sf_driver_local_bucket, &sf_driver_local_policy, &sf_driver_local_role,
                                                      &sf_driver_local_security_group, &sf_driver_local_ssh_key};
    for (size_t i = 0; i < SF_COUNT(bad); i++) {
        for (size_t d = 0; d < SF_COUNT(drivers); d++) {
            assert_int_equal(drivers[d]->read(op_now(), sf_str_of(bad[i]), &out, &h->err), SF_E_CONFIG);
            assert_int_equal(drivers[d]->destroy(op_now(), sf_str_of(bad[i]), &out, &h->err), SF_E_CONFIG);
        }
    }
}

static void derived_arns_are_known_before_anything_exists(void **state)
{
    (void)state;
    assert_true(sf_str_is(sf_map_str(wanted(&sf_driver_local_bucket, "{\"name\":\"x\"}"), "arn"), "arn:aws:s3:::x"));
    assert_true(
        sf_str_is(sf_map_str(wanted(&sf_driver_local_policy, "{\"name\":\"x\"}"), "arn"), "arn:aws:iam::000000000000:policy/x"));
    assert_true(
        sf_str_is(sf_map_str(wanted(&sf_driver_local_role, "{\"name\":\"x\"}"), "arn"), "arn:aws:iam::000000000000:role/x"));
}

static void a_bucket_with_a_strangers_objects_is_kept_and_names_them(void **state)
{
    (void)state;
    struct sf_str id = make(&sf_driver_local_bucket, "{\"name\":\"landing\"}");
    for (int i = 0; i < 7; i++)
        assert_ok(h, sf_local_bucket_put(op_now(), &h->self, sf_str_fmt(h->arena, "f%d.csv", i), SF_STR("x"), &h->err));
    assert_int_equal(sf_driver_local_bucket.destroy(op_now(), id, &out, &h->err), SF_E_CONFLICT);
    assert_has(h->err.message, "7 objects: 'f0.csv', 'f1.csv', 'f2.csv', 'f3.csv', 'f4.csv' and 2 more");
    assert_has(h->err.hint, "force_destroy");
    assert_string_equal(fake_calls, "");
    wanted(&sf_driver_local_bucket, "{\"name\":\"landing\",\"force_destroy\":true}");
    assert_ok(h, sf_driver_local_bucket.destroy(op_now(), id, &out, &h->err));
    assert_int_equal(access(sf_territory_path(&h->op, "buckets/landing"), F_OK), -1);
}

static void a_bucket_whose_directory_was_removed_shows_it_and_gets_it_back(void **state)
{
    (void)state;
    struct sf_str id = make(&sf_driver_local_bucket, "{\"name\":\"landing\"}");
    const char *data = sf_territory_path(&h->op, "buckets/landing/data");
    assert_ok(h, sf_territory_remove_tree(op_now(), data, &h->err));
    assert_ok(h, sf_driver_local_bucket.read(op_now(), id, &out, &h->err));
    assert_int_equal(sf_map_getz(out.attrs, BUCKET_ARN)->type, SF_V_NULL);
    assert_ok(h, sf_driver_local_bucket.update(op_now(), id, h->self.attrs, h->self.attrs, &out, &h->err));
    assert_int_equal(access(data, F_OK), 0);
}

static void versioning_is_noted_in_the_plan(void **state)
{
    (void)state;
    struct sf_value *want = wanted(&sf_driver_local_bucket, "{\"name\":\"landing\",\"versioning\":true}");
    assert_ok(h, sf_driver_local_bucket.preflight(op_now(), want, &h->err));
    assert_has(fake_warnings, "keeps no earlier versions");
}

static void a_malformed_policy_is_found_at_plan_time(void **state)
{
    (void)state;
    struct sf_value *want = wanted(&sf_driver_local_policy, "{\"name\":\"x\",\"document\":{\"Statement\":[{\"Effect\":\"Allow\","
                                                            "\"Action\":\"GetObject\",\"Resource\":\"*\"}]}}");
    assert_int_equal(sf_driver_local_policy.preflight(op_now(), want, &h->err), SF_E_CONFIG);
    assert_has(h->err.message, "not an action");
    want = wanted(&sf_driver_local_role, "{\"name\":\"x\",\"trust\":\"lambda\"}");
    assert_int_equal(sf_driver_local_role.preflight(op_now(), want, &h->err), SF_E_CONFIG);
    assert_has(h->err.hint, "trust: transfer");
}

static void a_roles_documents_follow_its_policies_and_its_own(void **state)
{
    (void)state;
    struct sf_role_policies role;
    struct sf_str policy = make(&sf_driver_local_policy, POLICY_JSON);
    h->self.address = SF_STR("role.sftp");
    make(
        &sf_driver_local_role,
        sf_str_fmt(h->arena,
                   "{\"name\":\"sftp\",\"trust\":\"transfer\",\"policies\":[\"%.*s\",\"arn:aws:iam::000000000000:policy/gone\"],"
                   "\"inline\":{\"no\":{\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"s3:DeleteObject\",\"Resource\":\"*\"}]}}}",
                   SF_ARG(policy))
            .p);
    assert_ok(h, sf_local_role_policies(op_now(), SF_STR("arn:aws:iam::000000000000:role/sftp"), &role, &h->err));
    assert_int_equal(role.documents->list.n, 2);
    assert_ok(h, sf_local_role_trusts(op_now(), &role, "transfer", &h->err));
    assert_int_equal(sf_local_role_trusts(op_now(), &role, "redshift", &h->err), SF_E_DENIED);
    assert_has(h->err.hint, "trust: redshift");
    assert_int_equal(sf_local_role_policies(op_now(), SF_STR("nobody"), &role, &h->err), SF_E_ABSENT);
    /* a policy that cannot be read may hold a deny: never passed over */
    assert_ok(h, sf_territory_write_file(op_now(), sf_territory_path(&h->op, "iam/policies/landing-write.json"), SF_STR("{"), 0600,
                                         &h->err));
    assert_int_equal(sf_local_role_policies(op_now(), SF_STR("sftp"), &role, &h->err), SF_E_IO);
}

static void a_generated_key_is_sealed_before_it_is_used(void **state)
{
    (void)state;
    struct stat st;
    struct sf_str id = make(&sf_driver_local_ssh_key, "{\"format\":\"openssh\"}"), clear, file;
    assert_true(sf_str_starts(id, SF_STR("key-")));
    assert_int_equal(id.n, 4 + 17);
    assert_true(strncmp(fake_calls, "seal\nwrite\nmade\n", 16) == 0);
    assert_ok(h, sf_op_unseal(&h->op, NULL, "private_key", &clear, &h->err));
    const char *path = sf_str_dup(h->arena, sf_map_str(out.attrs, SSH_KEY_PRIVATE_KEY_FILE)).p;
    assert_ok(h, sf_territory_read_file(&h->op, path, &file, &h->err));
    assert_true(sf_str_eq(file, clear));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_uid, geteuid());
    assert_true(sf_str_ends(sf_map_str(out.attrs, SSH_KEY_PUBLIC_KEY), SF_STR(" test-landing")));
    assert_true(sf_str_is(sf_map_str(out.attrs, SSH_KEY_ALGORITHM), "ed25519"));
    /* the territory never holds the private half */
    assert_ok(h, sf_territory_read_file(&h->op, sf_territory_path(&h->op, "ssh_keys/%.*s/meta.json", SF_ARG(id)), &file, &h->err));
    assert_true(sf_str_find(file, SF_STR("PRIVATE")) == SIZE_MAX);

    /* a missing or loose file is drift, and put back */
    for (int i = 0; i < 3; i++) {
        if (i == 0)
            unlink(path);
        else if (i == 1)
            assert_int_equal(chmod(path, 0644), 0);
        else
            assert_ok(h, sf_territory_write_file(op_now(), path, SF_STR("another"), 0600, &h->err));
        assert_ok(h, sf_driver_local_ssh_key.read(op_now(), id, &out, &h->err));
        assert_int_equal(sf_map_getz(out.attrs, SSH_KEY_PRIVATE_KEY_FILE)->type, SF_V_NULL);
        assert_ok(h, sf_driver_local_ssh_key.update(op_now(), id, h->self.attrs, h->self.attrs, &out, &h->err));
        assert_ok(h, sf_driver_local_ssh_key.read(op_now(), id, &out, &h->err));
        assert_true(sf_str_is(sf_map_str(out.attrs, SSH_KEY_PRIVATE_KEY_FILE), path));
    }
    assert_ok(h, sf_driver_local_ssh_key.destroy(op_now(), id, &out, &h->err));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(sf_driver_local_ssh_key.read(op_now(), id, &out, &h->err), SF_E_ABSENT);
    assert_ok(h, sf_driver_local_ssh_key.destroy(op_now(), id, &out, &h->err));
}

static void a_renamed_key_takes_its_file_along(void **state)
{
    (void)state;
    struct sf_str id = make(&sf_driver_local_ssh_key, "{}");
    const struct sf_value *have = out.attrs;
    const char *before = sf_str_dup(h->arena, sf_map_str(have, SSH_KEY_PRIVATE_KEY_FILE)).p;
    h->self.name = SF_STR("uploader");
    struct sf_value *want = wanted(&sf_driver_local_ssh_key, "{}");
    assert_ok(h, sf_driver_local_ssh_key.update(op_now(), id, have, want, &out, &h->err));
    assert_int_equal(access(before, F_OK), -1);
    assert_int_equal(access(sf_map_str(out.attrs, SSH_KEY_PRIVATE_KEY_FILE).p, F_OK), 0);
}

static void an_imported_key_has_no_private_half(void **state)
{
    (void)state;
#define IMPORTED "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0MuVVwWhxXDiJqmAmRFLnOtlSmIHXOTOzfGVEjRLcp me@home"
    struct sf_str id = make(&sf_driver_local_ssh_key, "{\"public_key\":\"" IMPORTED "\"}");
    assert_null(strstr(fake_calls, "seal"));
    assert_ok(h, sf_driver_local_ssh_key.read(op_now(), id, &out, &h->err));
    assert_true(sf_str_is(sf_map_str(out.attrs, SSH_KEY_PUBLIC_KEY), IMPORTED));
    assert_true(sf_str_starts(sf_map_str(out.attrs, SSH_KEY_FINGERPRINT), SF_STR("SHA256:")));
    assert_null(sf_map_getz(out.attrs, SSH_KEY_PRIVATE_KEY_FILE));
    assert_int_equal(access(h->site.secrets_dir, F_OK), -1);
    assert_ok(h, sf_driver_local_ssh_key.destroy(op_now(), id, &out, &h->err));
    struct sf_value *want = wanted(&sf_driver_local_ssh_key, "{\"algorithm\":\"rsa\",\"public_key\":\"" IMPORTED "\"}");
    assert_int_equal(sf_driver_local_ssh_key.preflight(op_now(), want, &h->err), SF_E_CONFIG);
    assert_has(h->err.hint, "leave out algorithm");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_lives_by_the_contract),
        TEST(what_another_lineage_made_is_a_conflict),
        TEST(another_resource_of_the_stack_cannot_take_the_name),
        TEST(nothing_is_written_when_the_journal_says_no),
        TEST(a_file_damaged_by_hand_is_an_error_with_a_way_out),
        TEST(ids_from_hostile_state_never_become_paths),
        TEST(derived_arns_are_known_before_anything_exists),
        TEST(a_bucket_with_a_strangers_objects_is_kept_and_names_them),
        TEST(a_bucket_whose_directory_was_removed_shows_it_and_gets_it_back),
        TEST(versioning_is_noted_in_the_plan),
        TEST(a_malformed_policy_is_found_at_plan_time),
        TEST(a_roles_documents_follow_its_policies_and_its_own),
        TEST(a_generated_key_is_sealed_before_it_is_used),
        TEST(a_renamed_key_takes_its_file_along),
        TEST(an_imported_key_has_no_private_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
