/* Deliveries: what is put and in which order, what is drift, what is superseded, what goes and what stays. SFTP is played. */
#include "tests/unit/resources/data/fixture.h"

static struct fixture *f;
static const struct sf_driver *const driver = &sf_driver_data_upload;

static int start(void **state)
{
    (void)state;
    f = fixture_start(false);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_free(f);
    return 0;
}

static struct sf_outcome look(void)
{
    struct sf_outcome out = {0};
    assert_ok(f->h, driver->read(fixture_op(f, &f->upload), f->upload.id, &out, &f->h->err));
    return out;
}

static struct sf_outcome update(const struct sf_value *have)
{
    struct sf_outcome out = {0};
    struct sf_value *want = fixture_want(f, &f->upload, driver);
    sftp_puts = 0;
    f->upload.attrs = want; /* as the engine has it: in an update the object itself is what is wanted */
    assert_ok(f->h, driver->update(fixture_op(f, &f->upload), f->upload.id, have, want, &out, &f->h->err));
    f->upload.attrs = out.attrs;
    return out;
}

static const struct sf_value *files_of(const struct sf_value *attrs)
{
    return sf_map_getz(attrs, UPLOAD_FILES);
}

static struct sf_str key_of_year(const char *year)
{
    return sf_map_str(sf_map_getz(sf_map_getz(f->dataset.attrs, "years"), year), "key");
}

static bool is_in_bucket(struct sf_str key)
{
    struct sf_bucket_entry *entries;
    size_t n;
    assert_ok(f->h, sf_local_bucket_list(harness_op(f->h), &f->bucket, key, &entries, &n, &f->h->err));
    return n == 1;
}

static void put_by_hand(struct sf_str key, const char *text)
{
    assert_ok(f->h, sf_local_bucket_put(harness_op(f->h), &f->bucket, key, sf_str_of(text), &f->h->err));
}

static void the_commit_file_is_put_last_and_names_the_manifests(void **state)
{
    (void)state;
    sftp_puts = 0;
    fixture_deliver(f);
    assert_string_equal(harness_calls, "put\nmade\n");
    assert_int_equal(sftp_puts, 9 + 7 + 1);
    assert_string_equal(sftp_last, sf_map_str(f->upload.attrs, UPLOAD_DELIVERY).p);
    assert_int_equal(strncmp(sftp_last, "delivery/", 9), 0);
    assert_true(sf_str_is(f->upload.id, "landing/delivery"));
    struct sf_outcome out = look();
    assert_true(sf_value_equal(files_of(out.attrs), files_of(fixture_want(f, &f->upload, driver))));
}

static void a_missing_short_or_altered_object_is_drift_of_itself_and_put_again_alone(void **state)
{
    (void)state;
    fixture_deliver(f);
    struct sf_str key = key_of_year("2025");
    const struct sf_value *want = files_of(f->upload.attrs);
    for (int i = 0; i < 3; i++) {
        if (i == 0)
            assert_ok(f->h, sf_local_bucket_delete(harness_op(f->h), &f->bucket, key, &f->h->err));
        else
            put_by_hand(key,
                        i == 1 ? "short" : sf_str_fmt(f->h->arena, "%*d", (int)sf_map_int(sf_map_get(want, key), "bytes", 0), 7).p);
        struct sf_outcome out = look();
        size_t differing = 0;
        for (size_t k = 0; k < want->map.n; k++) {
            const struct sf_value *there = sf_map_get(files_of(out.attrs), want->map.pairs[k].key);
            if (!there || !sf_value_equal(there, want->map.pairs[k].value)) {
                assert_true(sf_str_eq(want->map.pairs[k].key, key));
                differing++;
            }
        }
        assert_int_equal(differing, 1);
        out = update(out.attrs);
        assert_int_equal(sftp_puts, 1);
        assert_true(sf_value_equal(files_of(out.attrs), want));
    }
}

static void superseded_keys_stay_until_told_otherwise_and_foreign_ones_always(void **state)
{
    (void)state;
    fixture_dataset(f, fixture_files, SF_COUNT(fixture_files), "");
    fixture_deliver(f);
    put_by_hand(SF_STR("transaction/notes.txt"), "mine");
    struct sf_str old = key_of_year("2025");
    struct fixture_file files[SF_COUNT(fixture_files)];
    memcpy(files, fixture_files, sizeof files);
    files[7].text = FACT_HEADER "1004,2025,11,22,31,1,35.00\n";
    fixture_dataset(f, files, SF_COUNT(files), "");
    struct sf_outcome out = update(look().attrs);
    assert_int_equal(sftp_puts, 3); /* the year, the manifest of the fact, the commit file */
    const struct sf_value *superseded = sf_map_getz(out.attrs, UPLOAD_SUPERSEDED);
    assert_int_equal(superseded->list.n, 3);
    assert_true(is_in_bucket(old));
    /* one of them goes, as after a load: that is no change from outside, and the next delivery forgets it */
    assert_ok(f->h, sf_local_bucket_delete(harness_op(f->h), &f->bucket, old, &f->h->err));
    out = look();
    assert_int_equal(sf_map_getz(out.attrs, UPLOAD_SUPERSEDED)->list.n, 3);
    out = update(out.attrs);
    assert_int_equal(sf_map_getz(out.attrs, UPLOAD_SUPERSEDED)->list.n, 2);
    assert_ok(f->h, driver->destroy(fixture_op(f, &f->upload), f->upload.id, &out, &f->h->err));
    struct sf_bucket_entry *entries;
    size_t n;
    assert_ok(f->h, sf_local_bucket_list(harness_op(f->h), &f->bucket, SF_STR_NONE, &entries, &n, &f->h->err));
    assert_int_equal(n, 1);
    assert_true(sf_str_is(entries[0].key, "transaction/notes.txt"));
    assert_int_equal(driver->read(fixture_op(f, &f->upload), f->upload.id, &out, &f->h->err), SF_E_ABSENT);
    assert_ok(f->h, driver->destroy(fixture_op(f, &f->upload), f->upload.id, &out, &f->h->err));
    fixture_dataset(f, fixture_files, SF_COUNT(fixture_files), "");
}

static void bytes_that_were_not_planned_are_not_sent(void **state)
{
    (void)state;
    struct sf_outcome out = {0};
    struct sf_value *want = fixture_want(f, &f->upload, driver);
    const char *cached = sf_str_fmt(f->h->arena, "%s/objects/%s", f->h->site.cache_dir, key_of_year("2024").p).p;
    fixture_write(cached, SF_STR("something else"));
    assert_int_equal(driver->create(fixture_op(f, &f->upload), want, &out, &f->h->err), SF_E_STALE);
    assert_has(f->h->err.message, "is not the one that was planned");
    assert_false(is_in_bucket(key_of_year("2024")));
    unlink(cached);
    assert_int_equal(driver->create(fixture_op(f, &f->upload), want, &out, &f->h->err), SF_E_STALE);
    assert_has(f->h->err.hint, "the cache is rebuilt");
    /* all files are looked at before the first is sent */
    assert_string_equal(harness_calls, "");
    assert_int_equal(driver->find(fixture_op(f, &f->upload), want, &out, &f->h->err), SF_E_ABSENT);
    fixture_dataset(f, fixture_files, SF_COUNT(fixture_files), "");
    assert_ok(f->h, driver->create(fixture_op(f, &f->upload), want, &out, &f->h->err));
    f->upload.id = out.id;
    assert_true(sf_value_equal(files_of(out.attrs), files_of(want)));
}

static void a_delivery_is_the_same_bytes_each_time(void **state)
{
    (void)state;
    const struct sf_value *one = fixture_want(f, &f->upload, driver), *two = fixture_want(f, &f->upload, driver);
    assert_true(sf_value_equal(one, two));
    struct sf_object unknown = f->upload;
    unknown.attrs = f->dataset.attrs = fixture_json(f, "{}");
    assert_null(sf_map_getz(fixture_want(f, &unknown, driver), UPLOAD_FILES));
    fixture_dataset(f, fixture_files, SF_COUNT(fixture_files), "");
}

static void a_users_prefix_is_part_of_the_keys_and_not_of_the_path(void **state)
{
    (void)state;
    const struct sf_value *attrs = f->user.attrs;
    f->user.attrs = fixture_json(f, "{\"name\":\"uploader\",\"prefix\":\"in/box\"}");
    struct sf_value *want = fixture_want(f, &f->upload, driver);
    struct sf_str delivery = sf_map_str(want, UPLOAD_DELIVERY);
    assert_true(sf_str_starts(delivery, SF_STR("in/box/delivery/")));
    for (size_t i = 0; i < files_of(want)->map.n; i++)
        assert_true(sf_str_starts(files_of(want)->map.pairs[i].key, SF_STR("in/box/")));
    f->user.attrs = attrs;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_commit_file_is_put_last_and_names_the_manifests),
        cmocka_unit_test(a_missing_short_or_altered_object_is_drift_of_itself_and_put_again_alone),
        cmocka_unit_test(superseded_keys_stay_until_told_otherwise_and_foreign_ones_always),
        cmocka_unit_test(bytes_that_were_not_planned_are_not_sent),
        cmocka_unit_test(a_delivery_is_the_same_bytes_each_time),
        cmocka_unit_test(a_users_prefix_is_part_of_the_keys_and_not_of_the_path),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
