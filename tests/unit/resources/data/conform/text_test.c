/* Text, keys and money as the data contract writes them. */
#include "resources/data/conform/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void folds(const char *from, const char *to)
{
    char out[256];
    size_t n = sf_text_fold(sf_str_of(from), out);
    assert_int_equal(n, strlen(to));
    assert_memory_equal(out, to, n);
}

static void folding_touches_blanks_and_ascii_capitals_only(void **state)
{
    (void)state;
    folds("  DT  GSA\t- Technology ", "dt gsa - technology");
    folds("\xc3\x84pfel \xe2\x80\x93 B", "\xc3\x84pfel \xe2\x80\x93 b"); /* no other alphabet is folded */
    folds("\xc2\xa0x", "\xc2\xa0x");                                     /* a no-break space is no blank */
    folds(" \t ", "");
    folds("", "");
}

static int64_t key_of(const char *const *parts, size_t n)
{
    struct sf_buf buf = SF_BUF(4096);
    for (size_t i = 0; i < n; i++)
        sf_text_part_folded(&buf, sf_str_of(parts[i]));
    int64_t key = sf_text_key(sf_buf_str(&buf));
    sf_buf_free(&buf);
    return key;
}

static void keys_are_those_of_the_worked_examples(void **state)
{
    (void)state;
    const char *program[] = {"program", "Public  Protection", "POL Police", " Patrol", "No"};
    const char *type[] = {"type", "Charges for Services", "Public Safety Service Charges", "Curb Cut Assessment Fee"};
    const char *fund[] = {"fund", "Special Revenue Funds", "Children's Fund", "Continuing Projects"};
    assert_int_equal(key_of(program, SF_COUNT(program)), 4092915274971061);
    assert_int_equal(key_of(type, SF_COUNT(type)), 2155348904427204);
    assert_int_equal(key_of(fund, SF_COUNT(fund)), 1864004157390820);
    struct sf_buf buf = SF_BUF(4096);
    for (size_t i = 0; i < SF_COUNT(program); i++)
        sf_text_part_folded(&buf, sf_str_of(program[i]));
    assert_string_equal(buf.p, "7:program17:public protection10:pol police6:patrol2:no");
    assert_int_equal(sf_text_hash60(sf_buf_str(&buf)), 0x86e8a7c190f7771);
    sf_buf_free(&buf);
}

static void keys_are_exact_in_javascript(void **state)
{
    (void)state;
    for (char c = 'a'; c <= 'z'; c++) {
        int64_t key = sf_text_key((struct sf_str){&c, 1});
        assert_true(key >= 1 && key <= ((int64_t)1 << 53) - 1);
    }
}

static void is_money(const char *text, int64_t want)
{
    int64_t cents = -1;
    const char *problem = sf_text_money(sf_str_of(text), &cents);
    if (problem)
        fail_msg("'%s' %s", text, problem);
    assert_int_equal(cents, want);
}

static void is_no_money(const char *text, const char *why)
{
    int64_t cents;
    const char *problem = sf_text_money(sf_str_of(text), &cents);
    assert_non_null(problem);
    assert_string_equal(problem, why);
}

static void money_is_read_from_every_door(void **state)
{
    (void)state;
    is_money("2169166.5", 216916650);
    is_money("300", 30000);
    is_money("-24,051,145.45", -2405114545);
    is_money("1,234", 123400);
    is_money("+0.01", 1);
    is_money("-0.00", 0);
    is_money(".5", 50);
    is_money(" 7.10\t", 710);
    is_money("-4477861107.15", -447786110715);
    is_money("92233720368547757.99", 9223372036854775799);
    is_money("92233720368547758", 9223372036854775800);
    is_money("92,233,720,368,547,758.07", INT64_MAX);
    is_money("-92233720368547758.07", -INT64_MAX);
    is_money("0000000000000000000000001", 100);
}

/* What the short way reads, the long way reads as well; what it leaves alone is not that plain. */
static void plain_amounts_are_read_as_any_others(void **state)
{
    (void)state;
    static const char odd[] = "0123456789.,-+ (/:;";
    uint64_t seed = 20261121;
    size_t n_plain = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t round = 0; round < 300000; round++) {
        char text[40] = " ";
        size_t n = 1;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t r = seed >> 20;
        if (r & 1)
            text[n++] = '-';
        for (size_t digits = (r >> 1) % 17; digits > 0; digits--) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[n++] = (char)('0' + (seed >> 40) % 10);
        }
        n += (size_t)snprintf(text + n, sizeof text - n, ".%02u", (unsigned)(r >> 8) % 100);
        if ((r >> 16) % 3 == 0)
            text[1 + (r >> 24) % (n - 1)] = odd[(r >> 32) % (sizeof odd - 1)];
        struct sf_str amount = {text + 1, n - 1};
        int64_t plain = 1, other = 1;
        const char *problem = sf_text_money(amount, &other);
        bool is_plain = sf_text_plain_money(amount.p, amount.n, &plain);
        size_t digits = strspn(text + 1 + (text[1] == '-'), "0123456789");
        const char *rest = text + 1 + (text[1] == '-') + digits;
        bool want = digits >= 1 && digits <= 13 && rest[0] == '.' && strspn(rest + 1, "0123456789") == 2 && rest[3] == '\0';
        if (is_plain != want || (want && (problem || plain != other)))
            fail_msg("'%s': plain %d %lld, %s %lld", text + 1, is_plain, (long long)plain, problem ? problem : "is",
                     (long long)other);
        n_plain += is_plain;
    }
    assert_true(n_plain > 100000);
}

static void what_is_not_money_is_refused_with_the_reason(void **state)
{
    (void)state;
    is_no_money("", "is empty");
    is_no_money("  ", "is empty");
    is_no_money("1.234", "has more than two decimals");
    is_no_money("1.230", "has more than two decimals");
    is_no_money("(5.00)", "is in parentheses");
    is_no_money("$5", "is not a number");
    is_no_money("1e3", "is not a number");
    is_no_money("NaN", "is not a number");
    is_no_money("-", "is not a number");
    is_no_money(".", "is not a number");
    is_no_money("5.", "is not a number");
    is_no_money("1.2.3", "is not a number");
    is_no_money("--1", "is not a number");
    is_no_money("5-", "is not a number");
    is_no_money("1,23.00", "has a thousands separator in the wrong place");
    is_no_money("1234,567", "has a thousands separator in the wrong place");
    is_no_money(",123", "has a thousands separator in the wrong place");
    is_no_money("1,,234", "has a thousands separator in the wrong place");
    is_no_money("1,2345", "has a thousands separator in the wrong place");
    is_no_money("99999999999999999999", "is too large");
    is_no_money("92233720368547758.08", "is too large");
}

static void money_is_written_with_two_decimals(void **state)
{
    (void)state;
    static const struct {
        int64_t cents;
        const char *text;
    } cases[] = {{0, "0.00"},
                 {5, "0.05"},
                 {-5, "-0.05"},
                 {123456, "1234.56"},
                 {-2405114545, "-24051145.45"},
                 {INT64_MIN, "-92233720368547758.08"},
                 {INT64_MAX, "92233720368547758.07"}};
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        char out[SF_TEXT_MONEY_MAX];
        size_t n = sf_text_write_money(cases[i].cents, out);
        assert_int_equal(n, strlen(cases[i].text));
        assert_memory_equal(out, cases[i].text, n);
    }
}

/* Against printf, at every number of digits, where groups of eight begin and end. */
static void whole_numbers_are_those_of_printf(void **state)
{
    (void)state;
    int64_t value = 1;
    for (int digits = 1; digits <= 19; digits++, value *= digits < 19 ? 10 : 1) {
        const int64_t around[] = {value - 1, value, value + 1, -value, 7 * (value / 3) + 5, value / 9 * 4 + 10203};
        for (size_t i = 0; i < SF_COUNT(around); i++) {
            char want[32], have[SF_TEXT_INT_MAX];
            int n = snprintf(want, sizeof want, "%lld", (long long)around[i]);
            assert_int_equal(sf_text_write_int(around[i], have), n);
            assert_memory_equal(have, want, (size_t)n);
        }
    }
    char have[SF_TEXT_INT_MAX];
    assert_int_equal(sf_text_write_int(INT64_MIN, have), 20);
    assert_memory_equal(have, "-9223372036854775808", 20);
    assert_int_equal(sf_text_write_int(INT64_MAX, have), 19);
    assert_memory_equal(have, "9223372036854775807", 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_those_of_printf),     cmocka_unit_test(folding_touches_blanks_and_ascii_capitals_only),
        cmocka_unit_test(keys_are_those_of_the_worked_examples), cmocka_unit_test(keys_are_exact_in_javascript),
        cmocka_unit_test(money_is_read_from_every_door),         cmocka_unit_test(what_is_not_money_is_refused_with_the_reason),
        cmocka_unit_test(money_is_written_with_two_decimals),    cmocka_unit_test(plain_amounts_are_read_as_any_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
