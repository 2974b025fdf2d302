/* See check_report.h. The JUnit file is in junit.c. */
#include "engine/cli/check_report.h"

#include <inttypes.h>
#include <stdio.h>

enum { MAX_OUTPUT_BYTES = 512 * 1024 * 1024 };

static const char *const outcome_names[] = {
    [SF_CHECK_SKIPPED] = "skipped", [SF_CHECK_PASSED] = "passed",     [SF_CHECK_FAILED] = "failed",
    [SF_CHECK_WARNED] = "warned",   [SF_CHECK_ACCEPTED] = "accepted",
};

enum sf_code sf_checks_accepted_known(const struct sf_run *run, struct sf_err *err)
{
    const struct sf_value *accepted = run->site.accepted_checks;
    for (size_t i = 0; accepted && i < accepted->list.n; i++) {
        struct sf_str name = accepted->list.items[i]->s;
        const struct sf_run_check *check = run->checks, *nearest = NULL;
        size_t least = 64;
        for (; check && !sf_str_eq(check->name, name); check = check->next) {
            size_t distance = sf_str_distance(name, check->name);
            if (distance < least) {
                least = distance;
                nearest = check;
            }
        }
        if (check)
            continue;
        sf_fail(err, SF_E_USAGE, "-accept-check names '%.*s', which is no check of this stack", SF_ARG(name));
        if (nearest && least <= 3 + name.n / 4)
            sf_hint(err, "did you mean '%.*s'?", SF_ARG(nearest->name));
        else
            sf_hint(err, "the checks are those in `checks` of a load; the error of a failed one names it");
        return SF_E_USAGE;
    }
    return SF_OK;
}

static bool is_accepted(const struct sf_run *run, const struct sf_run_check *check)
{
    const struct sf_value *accepted = run->site.accepted_checks;
    for (size_t i = 0; accepted && i < accepted->list.n; i++)
        if (sf_str_eq(accepted->list.items[i]->s, check->name))
            return true;
    return false;
}

struct sf_str sf_checks_say(struct sf_arena *arena, const struct sf_run *run, const struct sf_run_check *check)
{
    const char *then = check->outcome == SF_CHECK_WARNED     ? "; published, since its severity is warn"
                       : check->outcome == SF_CHECK_ACCEPTED ? "; published, since -accept-check names it"
                                                             : "";
    for (const struct sf_run_check *other = run->checks; other; other = other->next)
        if (other->outcome == SF_CHECK_FAILED && sf_str_eq(other->address, check->address))
            then = check->outcome == SF_CHECK_WARNED ? "; its severity is warn" : "; nothing was published";
    return sf_str_fmt(arena, "failed for %" PRId64 " row%s%s", check->failing, check->failing == 1 ? "" : "s", then);
}

static void show_json(const struct sf_run *run)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf lines = SF_BUF(MAX_OUTPUT_BYTES);
    for (const struct sf_run_check *check = run->checks; check; check = check->next) {
        struct sf_value *fields = sf_value_map(arena), *one = sf_value_map(arena);
        sf_map_set_str(arena, one, "addr", check->address);
        sf_map_set_str(arena, one, "name", check->name);
        sf_map_set_str(arena, one, "outcome", sf_str_of(outcome_names[check->outcome]));
        sf_map_set_int(arena, one, "failing", check->failing);
        sf_map_set_str(arena, one, "rows", check->rows);
        sf_map_set(arena, fields, SF_STR("check"), one);
        const char *level = check->outcome == SF_CHECK_FAILED                                          ? "error"
                            : check->outcome == SF_CHECK_WARNED || check->outcome == SF_CHECK_ACCEPTED ? "warn"
                                                                                                       : "info";
        sf_render_event_json(
            &lines, arena, level, "check",
            sf_str_fmt(arena, "%.*s: check '%.*s' %s", SF_ARG(check->address), SF_ARG(check->name), outcome_names[check->outcome]),
            fields);
    }
    sf_ui_print(&lines);
    sf_arena_free(arena);
}

void sf_checks_show(const struct sf_ui *ui, const struct sf_run *run)
{
    if (ui->options->json) {
        show_json(run);
        return;
    }
    const char *on = ui->err_color ? "\033[33m" : "", *off = ui->err_color ? "\033[0m" : "";
    for (const struct sf_run_check *check = run->checks; check; check = check->next) {
        switch (check->outcome) {
        case SF_CHECK_WARNED:
        case SF_CHECK_ACCEPTED:
            fprintf(stderr, "%swarning:%s check '%.*s' %s\n", on, off, SF_ARG(check->name),
                    sf_checks_say(run->arena, run, check).p);
            if (check->rows.n)
                sf_ui_say(sf_str_fmt(run->arena, "%.*s\n", SF_ARG(check->rows)));
            break;
        case SF_CHECK_PASSED:
        case SF_CHECK_SKIPPED:
            if (is_accepted(run, check))
                fprintf(stderr, "%snote:%s check '%.*s' was accepted and %s\n", on, off, SF_ARG(check->name),
                        check->outcome == SF_CHECK_PASSED ? "did not fail" : "was not run");
            break;
        case SF_CHECK_FAILED: /* it is the error */
            break;
        }
    }
}
