/* See conform.h. Parallel phases: chunks to rows, found to members, rows to years, years to uses, uses to tables. Worker 0 is the
 * calling thread. */
#include "resources/data/conform/conform.h"

#include "engine/core/clock.h"
#include "resources/data/conform/aliases.h"
#include "resources/data/conform/parse.h"
#include "resources/data/conform/report.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct worker {
    struct run *run;
    size_t number;
    struct sf_parser parser;
    struct sf_csv_chunk chunk;
    struct sf_year_scratch scratch;
    struct sf_alias_scratch aliases;
    struct sf_arena *arena;
    struct sf_err err;
    enum sf_code rc;
    uint64_t failed_at; /* number of the chunk or task: the lowest one's error is reported */
};

struct run {
    const struct sf_rules *rules;
    const struct sf_conform_options *options;
    struct sf_source *source;
    struct sf_layout layout;
    struct worker *workers;
    size_t n_workers;
    atomic_bool stop;
    atomic_size_t next_task;
    atomic_ullong rows_done;
    struct sf_rows_pool pool;
    char *objects_dir;
    struct sf_members members[SF_RULES_MAX_DIMENSIONS];
    uint32_t **maps[SF_RULES_MAX_DIMENSIONS];
    struct sf_year_input year_input;
    struct sf_year *years;
    size_t n_years;
    size_t *order; /* of the years, the one with most rows first */
    struct sf_table_input table_input;
    struct sf_use *uses;
    struct sf_spellings *spellings[SF_RULES_MAX_DIMENSIONS];
    struct sf_result *result;
};

static void fail_worker(struct worker *w, enum sf_code rc, uint64_t at)
{
    if (!w->rc || at < w->failed_at) {
        w->rc = rc;
        w->failed_at = at;
    }
    atomic_store(&w->run->stop, true);
}

/* Whether a signal asked to stop; only the calling thread may ask and report progress. */
static bool is_cancelled(struct worker *w, const char *what, uint64_t done)
{
    const struct sf_conform_options *o = w->run->options;
    if (w->number != 0)
        return false;
    if (o->progress)
        o->progress(o->ctx, what, done);
    return o->is_cancelled && o->is_cancelled(o->ctx);
}

static enum sf_code cancel(struct sf_err *err)
{
    return sf_fail(err, SF_E_CANCELLED, "conforming was interrupted");
}

/* --- chunks to rows --- */

static void parse_chunks(struct worker *w)
{
    struct run *run = w->run;
    while (!atomic_load(&run->stop)) {
        bool end = false;
        enum sf_code rc = is_cancelled(w, "rows read", atomic_load(&run->rows_done)) ? cancel(&w->err) : SF_OK;
        if (!rc)
            rc = sf_source_next(run->source, &w->chunk, &end, &w->err);
        if (!rc && end)
            return;
        uint64_t before = w->parser.n_rows;
        if (!rc)
            rc = sf_csv_index(&w->chunk, &w->err);
        if (!rc)
            rc = sf_parser_chunk(&w->parser, &w->chunk, false, &w->err);
        atomic_fetch_add(&run->rows_done, w->parser.n_rows - before);
        if (rc)
            fail_worker(w, rc, w->chunk.number);
    }
}

/* --- found to members: a dimension each --- */

static void merge_dimensions(struct worker *w)
{
    struct run *run = w->run;
    while (!atomic_load(&run->stop)) {
        size_t d = atomic_fetch_add(&run->next_task, 1);
        if (d >= run->rules->n_dimensions)
            return;
        struct sf_raw_list lists[SF_CONFORM_MAX_THREADS];
        for (size_t i = 0; i < run->n_workers; i++)
            lists[i] = (struct sf_raw_list){run->workers[i].parser.found[d].raws, run->workers[i].parser.found[d].n};
        enum sf_code rc = sf_members_merge(w->arena, run->rules, &run->rules->dimensions[d], lists, run->n_workers, run->maps[d],
                                           &run->members[d], &w->err);
        for (size_t i = 0; i < run->n_workers && !rc; i++)
            sf_parser_forget(&run->workers[i].parser, d);
        if (rc)
            fail_worker(w, rc, d);
    }
}

/* --- rows to years --- */

static enum sf_code write_year(struct worker *w, struct sf_year *year, size_t index)
{
    const struct sf_year_input *in = &w->run->year_input;
    enum sf_code rc = sf_year_write(in, index, &w->scratch, w->arena, year, &w->err);
    if (!rc && year->rows && in->rules->alias_table.n)
        rc = sf_aliases_write(in, year, &w->aliases, w->scratch.pack, w->arena, &year->aliases, &w->err);
    return rc;
}

static void write_years(struct worker *w)
{
    struct run *run = w->run;
    uint64_t done = 0;
    sf_csv_chunk_free(&w->chunk);
    while (!atomic_load(&run->stop)) {
        size_t task = atomic_fetch_add(&run->next_task, 1);
        if (task >= run->n_years)
            break;
        size_t year = run->order[task];
        enum sf_code rc = is_cancelled(w, "fiscal years written", done++) ? cancel(&w->err) : SF_OK;
        if (!rc)
            rc = write_year(w, &run->years[year], year);
        for (size_t i = 0; i < run->n_workers; i++)
            sf_rows_drop(&run->workers[i].parser.rows, year);
        if (rc)
            fail_worker(w, rc, task);
    }
    sf_year_scratch_free(&w->scratch); /* before the tables need memory */
    sf_alias_scratch_free(&w->aliases);
}

/* --- years to uses: a dimension each --- */

static void find_last_years(struct run *run, size_t d)
{
    struct sf_members *m = &run->members[d];
    for (size_t i = 0; i < m->n; i++)
        m->raws[i].last_year = 0;
    for (size_t y = 0; y < run->n_years; y++)
        for (size_t i = 0; i < run->years[y].n_usage[d]; i++)
            m->raws[run->years[y].usage[d][i].raw].last_year = run->years[y].year;
}

/* Turns what each year used into what each raw was used for. */
static void gather_uses(struct run *run, size_t d)
{
    const struct sf_members *m = &run->members[d];
    size_t *at = calloc(m->n + 1, sizeof *at), n = 0;
    if (!at)
        sf_out_of_memory();
    for (size_t y = 0; y < run->n_years; y++)
        for (size_t i = 0; i < run->years[y].n_usage[d]; i++, n++)
            at[run->years[y].usage[d][i].raw + 1]++;
    for (size_t i = 1; i <= m->n; i++)
        at[i] += at[i - 1];
    struct sf_use *uses = malloc((n ? n : 1) * sizeof *uses);
    if (!uses)
        sf_out_of_memory();
    for (size_t y = 0; y < run->n_years; y++) {
        for (size_t i = 0; i < run->years[y].n_usage[d]; i++) {
            const struct sf_usage *u = &run->years[y].usage[d][i];
            uses[at[u->raw]++] = (struct sf_use){u->raw, run->years[y].year, u->rows, u->cents};
        }
    }
    free(at);
    run->table_input.uses = run->uses = uses;
    run->table_input.n_uses = n;
}

static void gather_dimensions(struct worker *w)
{
    struct run *run = w->run;
    for (;;) {
        size_t d = atomic_fetch_add(&run->next_task, 1);
        if (d >= run->rules->n_dimensions)
            return;
        find_last_years(run, d);
        if (run->rules->has_crosswalk && d == run->rules->crosswalk_dimension)
            gather_uses(run, d);
        run->spellings[d] = sf_spellings_make(w->arena, &run->members[d]);
    }
}

/* --- uses to tables --- */

enum { CROSSWALK, SIDES, N_SINGLE };

static enum sf_code write_table(struct worker *w, size_t task)
{
    struct run *run = w->run;
    struct sf_result *r = run->result;
    if (task == CROSSWALK && run->rules->has_crosswalk)
        return sf_table_crosswalk(&run->table_input, w->arena, &r->crosswalk, &r->coverage, &r->unmapped, &w->err);
    if (task == SIDES && run->rules->n_sides)
        return sf_table_sides(&run->table_input, w->arena, &r->sides, &w->err);
    if (task >= N_SINGLE)
        return sf_table_dimension(&run->table_input, task - N_SINGLE, w->arena, &r->dimensions[task - N_SINGLE], &w->err);
    return SF_OK;
}

static void write_tables(struct worker *w)
{
    struct run *run = w->run;
    while (!atomic_load(&run->stop)) {
        size_t task = atomic_fetch_add(&run->next_task, 1);
        if (task >= N_SINGLE + run->rules->n_dimensions)
            return;
        enum sf_code rc = is_cancelled(w, "tables written", task) ? cancel(&w->err) : write_table(w, task);
        if (rc)
            fail_worker(w, rc, task);
    }
}

/* --- the frame --- */

enum phase { PARSE, MERGE, YEARS, GATHER, TABLES };

struct start {
    struct worker *worker;
    enum phase phase;
};

static void *work(void *argument)
{
    const struct start *start = argument;
    switch (start->phase) {
    case PARSE:
        parse_chunks(start->worker);
        break;
    case MERGE:
        merge_dimensions(start->worker);
        break;
    case YEARS:
        write_years(start->worker);
        break;
    case GATHER:
        gather_dimensions(start->worker);
        break;
    case TABLES:
        write_tables(start->worker);
        break;
    }
    return NULL;
}

/* Runs a phase on all workers and gives the error that comes first in the file. A thread that cannot start is done without. */
static enum sf_code run_phase(struct run *run, enum phase phase, struct sf_err *err)
{
    pthread_t threads[SF_CONFORM_MAX_THREADS];
    struct start starts[SF_CONFORM_MAX_THREADS];
    bool is_started[SF_CONFORM_MAX_THREADS] = {false};
    atomic_store(&run->next_task, 0);
    for (size_t i = 1; i < run->n_workers; i++) {
        starts[i] = (struct start){&run->workers[i], phase};
        is_started[i] = pthread_create(&threads[i], NULL, work, &starts[i]) == 0;
    }
    work(&(struct start){&run->workers[0], phase});
    for (size_t i = 1; i < run->n_workers; i++)
        if (is_started[i])
            pthread_join(threads[i], NULL);
    const struct worker *first = NULL;
    for (size_t i = 0; i < run->n_workers; i++)
        if (run->workers[i].rc && (!first || run->workers[i].failed_at < first->failed_at))
            first = &run->workers[i];
    if (!first)
        return SF_OK;
    if (err)
        *err = first->err;
    return first->rc;
}

static size_t count_threads(const struct sf_conform_options *options)
{
    long n = options->threads ? (long)options->threads : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > SF_CONFORM_MAX_THREADS ? SF_CONFORM_MAX_THREADS : (size_t)n;
}

/* The first chunk holds the header; the rest of it is worker 0's. */
static enum sf_code read_header(struct run *run, struct sf_arena *arena, struct sf_csv_chunk *chunk, struct sf_err *err)
{
    bool end = false;
    enum sf_code rc = sf_source_next(run->source, chunk, &end, err);
    if (!rc && end) {
        sf_fail(err, SF_E_DATA, "'%s' line 1, column 1: the source is empty: not even a header", chunk->file);
        sf_hint(err, "fetch the file again");
        return SF_E_DATA;
    }
    if (!rc)
        rc = sf_csv_index(chunk, err);
    struct sf_csv_record header;
    if (!rc && sf_csv_first(chunk, &header))
        rc = sf_layout_read(arena, run->rules, &header, &run->layout, err);
    return rc;
}

static enum sf_code parse_all(struct run *run, struct sf_arena *arena, struct sf_err *err)
{
    struct sf_csv_chunk *first = &run->workers[0].chunk;
    enum sf_code rc = read_header(run, arena, first, err);
    if (rc)
        return rc;
    uint64_t seed;
    sf_random_bytes(&seed, sizeof seed);
    for (size_t i = 0; i < run->n_workers; i++)
        sf_parser_open(&run->workers[i].parser, &run->layout, &run->pool, seed);
    rc = sf_parser_chunk(&run->workers[0].parser, first, true, err);
    return rc ? rc : run_phase(run, PARSE, err);
}

/* All workers saw the same data_as_of and data_loaded_at. */
static enum sf_code compare_stamps(const struct run *run, struct sf_str stamps[2], struct sf_err *err)
{
    bool has_any = false;
    for (size_t i = 0; i < run->n_workers; i++) {
        const struct sf_parser *p = &run->workers[i].parser;
        if (!p->has_stamps)
            continue;
        for (size_t k = 0; k < 2; k++) {
            if (!has_any)
                stamps[k] = p->stamps[k];
            if (sf_str_eq(stamps[k], p->stamps[k]))
                continue;
            int column = k ? run->rules->loaded_at_column : run->rules->as_of_column;
            sf_fail(err, SF_E_DATA, "%.*s is '%.*s' in some rows and '%.*s' in others: two snapshots in one file",
                    SF_ARG(run->rules->columns[column].name), SF_ARG(sf_str_slice(stamps[k], 0, 100)),
                    SF_ARG(sf_str_slice(p->stamps[k], 0, 100)));
            sf_hint(err, "the table was replaced while it was being fetched: fetch it again");
            return SF_E_DATA;
        }
        has_any = true;
    }
    return SF_OK;
}

/* What the parsers found of many members was merged and freed, in pages that the allocator keeps unless it is asked. For the ten
 * thousand members of a usual table it would take longer than it is worth. */
static void give_back_found(const struct run *run)
{
    enum { MANY = 32 * 1024 };
    size_t n = 0;
    for (size_t d = 0; d < run->rules->n_dimensions; d++)
        n += run->members[d].n;
#ifdef __GLIBC__
    if (n > MANY)
        malloc_trim(0);
#endif
}

static enum sf_code merge_members(struct run *run, struct sf_arena *arena, struct sf_err *err)
{
    for (size_t d = 0; d < run->rules->n_dimensions; d++)
        run->maps[d] = SF_NEW_ARRAY(arena, run->n_workers, uint32_t *);
    for (size_t i = 0; i < run->n_workers; i++)
        sf_parser_finish(&run->workers[i].parser);
    enum sf_code rc = run_phase(run, MERGE, err);
    give_back_found(run);
    return rc;
}

struct year_size {
    uint64_t rows;
    size_t index;
};

static int order_sizes(const void *a, const void *b)
{
    const struct year_size *x = a, *y = b;
    if (x->rows != y->rows)
        return x->rows > y->rows ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* The largest year first: no worker is left with much of one in the end, and none needs more memory than for its first one. */
static void order_years(struct run *run, struct sf_arena *arena)
{
    struct year_size *sizes = SF_NEW_ARRAY(arena, run->n_years, struct year_size);
    for (size_t y = 0; y < run->n_years; y++) {
        sizes[y].index = y;
        for (size_t i = 0; i < run->n_workers; i++)
            sizes[y].rows += run->workers[i].parser.rows.years[y].n;
    }
    qsort(sizes, run->n_years, sizeof *sizes, order_sizes);
    run->order = SF_NEW_ARRAY(arena, run->n_years, size_t);
    for (size_t y = 0; y < run->n_years; y++)
        run->order[y] = sizes[y].index;
}

static enum sf_code write_facts(struct run *run, struct sf_arena *arena, struct sf_err *err)
{
    const struct sf_rows **rows = SF_NEW_ARRAY(arena, run->n_workers, const struct sf_rows *);
    for (size_t i = 0; i < run->n_workers; i++)
        rows[i] = &run->workers[i].parser.rows;
    run->year_input = (struct sf_year_input){run->rules,
                                             run->members,
                                             rows,
                                             run->n_workers,
                                             (uint32_t *const *const *)run->maps,
                                             run->objects_dir,
                                             run->options->slice_bytes};
    order_years(run, arena);
    enum sf_code rc = run_phase(run, YEARS, err);
    for (size_t i = 0; i < run->n_workers; i++)
        sf_year_scratch_free(&run->workers[i].scratch);
    for (size_t m = 0; m < run->rules->n_measures && !rc; m++) {
        uint64_t gross = 0;
        for (size_t i = 0; i < run->n_years && !rc; i++) {
            gross += run->years[i].gross_cents[m];
            if (gross > INT64_MAX)
                rc = sf_fail(err, SF_E_DATA, "the amounts add up to more than 64 bits of cents hold");
        }
    }
    return rc;
}

static enum sf_code write_others(struct run *run, struct sf_err *err)
{
    struct sf_table_input *in = &run->table_input;
    in->rules = run->rules;
    in->members = run->members;
    in->spellings = run->spellings;
    in->objects_dir = run->objects_dir;
    enum sf_code rc = run_phase(run, GATHER, err);
    if (!rc)
        rc = run_phase(run, TABLES, err);
    free(run->uses);
    return rc;
}

static void open_run(struct run *run, struct sf_arena *arena, struct sf_result *result)
{
    run->result = result;
    run->n_workers = count_threads(run->options);
    run->workers = SF_NEW_ARRAY(arena, run->n_workers, struct worker);
    run->n_years = (size_t)(run->rules->max_year - run->rules->min_year) + 1;
    run->years = SF_NEW_ARRAY(arena, run->n_years, struct sf_year);
    for (size_t i = 0; i < run->n_workers; i++) {
        run->workers[i].run = run;
        run->workers[i].number = i;
        run->workers[i].arena = sf_arena_new();
    }
    atomic_init(&run->stop, false);
    atomic_init(&run->next_task, 0);
    atomic_init(&run->rows_done, 0);
    result->years = run->years;
    result->n_years = run->n_years;
    result->unmapped = SF_BUF(64 * 1024 * 1024);
}

static void close_run(struct run *run)
{
    for (size_t i = 0; i < run->n_years; i++)
        sf_year_free(&run->years[i]);
    for (size_t i = 0; i < run->n_workers; i++) {
        if (run->workers[i].parser.arena)
            sf_parser_close(&run->workers[i].parser);
        sf_csv_chunk_free(&run->workers[i].chunk);
        sf_year_scratch_free(&run->workers[i].scratch);
        sf_arena_free(run->workers[i].arena);
    }
    sf_rows_pool_close(&run->pool);
    sf_buf_free(&run->result->unmapped);
}

/* Rows with texts of their own belong to large tables of many members: most of them spill anyway, and the members need the room. */
static size_t memory_for_rows(const struct sf_rules *rules, const struct sf_conform_options *options)
{
    size_t usual = rules->n_details ? SF_CONFORM_MEMORY_BYTES / 3 : SF_CONFORM_MEMORY_BYTES;
    return options->memory_bytes ? options->memory_bytes : usual;
}

enum sf_code sf_conform_run(struct sf_arena *arena, const struct sf_rules *rules, struct sf_source *source,
                            const struct sf_conform_options *options, const struct sf_value **summary, struct sf_err *err)
{
    struct sf_arena *scratch = sf_arena_new();
    struct sf_str objects = sf_str_fmt(scratch, "%s/objects", options->cache_dir);
    struct sf_result *result = SF_NEW(scratch, struct sf_result);
    struct run run = {
        .rules = rules, .options = options, .source = source, .objects_dir = (char *)(uintptr_t)objects.p, .pool = {.fd = -1}};
    open_run(&run, scratch, result);
    enum sf_code rc = sf_output_make_dir(objects.p, err);
    if (!rc)
        rc = sf_rows_pool_open(&run.pool, objects.p, memory_for_rows(rules, options), err);
    if (!rc)
        rc = parse_all(&run, scratch, err);
    if (!rc)
        rc = compare_stamps(&run, result->stamps, err);
    if (!rc)
        rc = merge_members(&run, scratch, err);
    if (!rc)
        rc = write_facts(&run, scratch, err);
    if (!rc)
        rc = write_others(&run, err);
    const struct sf_parser *parsers[SF_CONFORM_MAX_THREADS];
    for (size_t i = 0; i < run.n_workers; i++)
        parsers[i] = &run.workers[i].parser;
    result->parsers = parsers;
    result->n_parsers = run.n_workers;
    result->lacks_final_newline = !rc && sf_source_lacks_final_newline(source);
    if (!rc)
        rc = sf_report_make(arena, rules, options, result, summary, err);
    close_run(&run);
    sf_arena_free(scratch);
    return rc;
}
