/* A transfer under way, on disk: see snapshot.h. The file is a row of whole zstd frames and at most one that is being written. */
#include "resources/data/source/snapshot.h"

#include "resources/data/conform/conform.h"
#include "resources/data/conform/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum {
    FRAME_BYTES = 16 * 1024 * 1024, /* unpacked: what a kill costs at most */
    LEVEL = 3,
    BLOCK = 128 * 1024,
    MAGIC_BYTES = 4,
    MAX_WHAT_BYTES = 64 * 1024,
    HASH_BYTES = 32,
};

static const uint64_t max_bytes = 64ULL << 30;

struct sf_partial {
    struct sf_str folder; /* <cache>/source */
    struct sf_str path, what_path, what;
    int fd;
    struct sf_meter *meter;
    struct sf_meter_mark {
        uint64_t rows;
        bool has_stamp;
    } mark;          /* of the meter at the last end of a frame */
    bool is_paged;   /* a frame is a page */
    bool is_packed;  /* came packed: no frames of ours */
    bool is_decided; /* whether it is */
    char first[MAGIC_BYTES];
    size_t n_first;
    ZSTD_CCtx *zstd;
    uint64_t bytes, safe_bytes;     /* unpacked: all; up to the last end of a frame */
    uint64_t written, safe_written; /* in the file */
    char out[BLOCK];
};

/* --- writing --- */

static enum sf_code write_out(struct sf_partial *p, const void *bytes, size_t n, struct sf_err *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t now = write(p->fd, (const char *)bytes + done, n - done);
        if (now < 0 && errno == EINTR)
            continue;
        if (now < 0)
            return sf_fail_errno(err, SF_E_IO, "cannot write '%s'", p->path.p);
        done += (size_t)now;
        p->written += (uint64_t)now;
    }
    return SF_OK;
}

static enum sf_code pack(struct sf_partial *p, struct sf_str bytes, ZSTD_EndDirective how, struct sf_err *err)
{
    ZSTD_inBuffer in = {bytes.p ? bytes.p : "", bytes.n, 0};
    for (size_t left = 1; left || in.pos < in.size;) {
        ZSTD_outBuffer out = {p->out, sizeof p->out, 0};
        left = ZSTD_compressStream2(p->zstd, &out, &in, how);
        if (ZSTD_isError(left))
            sf_out_of_memory(); /* the one thing that can go wrong here */
        enum sf_code rc = write_out(p, p->out, out.pos, err);
        if (rc)
            return rc;
        if (how == ZSTD_e_continue && in.pos == in.size)
            break;
    }
    return SF_OK;
}

static enum sf_code end_frame(struct sf_partial *p, struct sf_err *err)
{
    if (!p->is_packed && p->bytes > p->safe_bytes) {
        enum sf_code rc = pack(p, SF_STR_NONE, ZSTD_e_end, err);
        if (rc)
            return rc;
    }
    p->safe_bytes = p->bytes;
    p->safe_written = p->written;
    p->mark = (struct sf_meter_mark){p->meter->rows, p->meter->has_first_stamp};
    return SF_OK;
}

/* Bytes of the table, at most to the end of a frame at a time. */
static enum sf_code add_table_bytes(struct sf_partial *p, struct sf_str bytes, struct sf_err *err)
{
    while (bytes.n > 0) {
        uint64_t room = FRAME_BYTES - (p->bytes - p->safe_bytes) % FRAME_BYTES;
        struct sf_str now = sf_str_slice(bytes, 0, room < bytes.n ? (size_t)room : bytes.n);
        enum sf_code rc = pack(p, now, ZSTD_e_continue, err);
        if (rc)
            return rc;
        p->bytes += now.n;
        bytes = sf_str_slice(bytes, now.n, bytes.n);
        if (!p->is_paged && now.n == room && (rc = end_frame(p, err)))
            return rc;
    }
    return p->bytes <= max_bytes ? SF_OK : sf_fail(err, SF_E_DATA, "more than %llu bytes came", (unsigned long long)max_bytes);
}

/* --- what it is of --- */

static enum sf_code write_what(struct sf_partial *p, struct sf_str what, struct sf_err *err)
{
    struct sf_buf text = SF_BUF(MAX_WHAT_BYTES);
    sf_buf_addz(&text, p->is_packed ? "packed\n" : "framed\n");
    sf_buf_add(&text, what);
    enum sf_code rc = sf_conform_write_file(p->what_path.p, sf_buf_str(&text), err);
    sf_buf_free(&text);
    return rc;
}

static struct sf_str read_what(struct sf_partial *p, struct sf_arena *arena)
{
    FILE *file = fopen(p->what_path.p, "re");
    if (!file)
        return SF_STR_NONE;
    char *text = sf_arena_alloc(arena, MAX_WHAT_BYTES + 1);
    size_t n = fread(text, 1, MAX_WHAT_BYTES, file);
    fclose(file);
    struct sf_str all = {text, n}, framed = SF_STR("framed\n"), packed = SF_STR("packed\n");
    p->is_packed = sf_str_starts(all, packed);
    return p->is_packed || sf_str_starts(all, framed) ? sf_str_slice(all, framed.n, n) : SF_STR_NONE;
}

/* --- going on --- */

/* Where the last whole frame ends. */
static uint64_t find_last_end(const char *bytes, size_t n)
{
    size_t end = 0;
    while (end < n) {
        size_t frame = ZSTD_findFrameCompressedSize(bytes + end, n - end);
        if (ZSTD_isError(frame))
            break;
        end += frame;
    }
    return end;
}

/* Unpacks the frames: to the meter or to a hash, and counts. False when they are damaged. */
static bool unpack(struct sf_str packed, struct sf_meter *meter, EVP_MD_CTX *hash, uint64_t *bytes)
{
    ZSTD_DStream *zstd = ZSTD_createDStream();
    char *out = malloc(BLOCK);
    if (!zstd || !out)
        sf_out_of_memory();
    ZSTD_inBuffer in = {packed.p, packed.n, 0};
    size_t left = 0;
    bool is_whole = true, is_full = false;
    *bytes = 0;
    while (is_whole && (in.pos < in.size || is_full)) {
        ZSTD_outBuffer now = {out, BLOCK, 0};
        left = ZSTD_decompressStream(zstd, &now, &in);
        struct sf_str kept, got = {out, now.pos};
        is_whole = !ZSTD_isError(left) && (!meter || sf_meter_feed(meter, got, &kept, NULL) == SF_OK) &&
                   (!hash || EVP_DigestUpdate(hash, out, now.pos) == 1);
        is_full = now.pos == BLOCK;
        *bytes += now.pos;
    }
    free(out);
    ZSTD_freeDStream(zstd);
    return is_whole && left == 0;
}

/* The file, mapped; an empty view when there is nothing in it or it cannot be. */
static struct sf_str map_file(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size <= 0)
        return SF_STR_NONE;
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    return at == MAP_FAILED ? SF_STR_NONE : (struct sf_str){at, (size_t)st.st_size};
}

static void unmap_file(struct sf_str file)
{
    if (file.n)
        munmap((void *)file.p, file.n);
}

static enum sf_code cut_to(struct sf_partial *p, uint64_t size, struct sf_err *err)
{
    if (ftruncate(p->fd, (off_t)size) != 0 || lseek(p->fd, (off_t)size, SEEK_SET) < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot write '%s'", p->path.p);
    p->written = p->safe_written = size;
    ZSTD_CCtx_reset(p->zstd, ZSTD_reset_session_only);
    return SF_OK;
}

static bool take_up(struct sf_partial *p)
{
    struct sf_str file = map_file(p->fd);
    if (file.n == 0)
        return false;
    p->is_decided = true;
    uint64_t end = p->is_packed ? file.n : find_last_end(file.p, file.n);
    bool is_good = p->is_packed || (end > 0 && unpack(sf_str_slice(file, 0, (size_t)end), p->meter, NULL, &p->bytes));
    unmap_file(file);
    if (p->is_packed)
        p->bytes = end;
    p->safe_bytes = p->bytes;
    p->mark = (struct sf_meter_mark){p->meter->rows, p->meter->has_first_stamp};
    return is_good && cut_to(p, end, NULL) == SF_OK;
}

enum sf_code sf_partial_begin(struct sf_partial *p, struct sf_str what, struct sf_err *err)
{
    const struct sf_rule_column *stamp = p->meter->stamp;
    sf_meter_close(p->meter);
    sf_meter_open(p->meter, stamp);
    p->what = what;
    p->bytes = p->safe_bytes = 0;
    p->n_first = 0;
    p->is_packed = p->is_decided = false;
    p->mark = (struct sf_meter_mark){0};
    enum sf_code rc = cut_to(p, 0, err); /* empty before it is said to be of something else */
    return rc ? rc : write_what(p, what, err);
}

enum sf_code sf_partial_rewind(struct sf_partial *p, struct sf_err *err)
{
    if (p->safe_bytes == 0)
        return sf_partial_begin(p, p->what, err);
    p->bytes = p->safe_bytes;
    p->meter->rows = p->mark.rows;
    p->meter->has_first_stamp = p->mark.has_stamp;
    sf_meter_begin_part(p->meter);
    return cut_to(p, p->safe_written, err);
}

struct sf_partial_mark sf_partial_mark(const struct sf_partial *p)
{
    return (struct sf_partial_mark){p->safe_bytes, p->safe_written, p->mark.rows, p->mark.has_stamp};
}

enum sf_code sf_partial_return(struct sf_partial *p, const struct sf_partial_mark *mark, struct sf_err *err)
{
    p->safe_bytes = mark->bytes;
    p->safe_written = mark->written;
    p->mark = (struct sf_meter_mark){mark->rows, mark->has_stamp};
    return sf_partial_rewind(p, err);
}

enum sf_code sf_partial_open(struct sf_arena *arena, const char *cache_dir, struct sf_str name, bool is_paged,
                             struct sf_meter *meter, struct sf_partial **out, struct sf_err *err)
{
    struct sf_partial *p = calloc(1, sizeof *p);
    if (!p || !(p->zstd = ZSTD_createCCtx()))
        sf_out_of_memory();
    ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1);
    p->meter = meter;
    p->is_paged = is_paged;
    p->folder = sf_str_fmt(arena, "%s/source", cache_dir);
    p->path = sf_str_fmt(arena, "%s/partial/%.*s.part", p->folder.p, SF_ARG(name));
    p->what_path = sf_str_fmt(arena, "%s/partial/%.*s.what", p->folder.p, SF_ARG(name));
    p->what = read_what(p, arena);
    p->fd = open(p->path.p, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    enum sf_code rc = p->fd < 0 ? sf_fail_errno(err, SF_E_IO, "cannot write '%s'", p->path.p) : SF_OK;
    if (!rc && !(p->what.n && take_up(p)))
        rc = sf_partial_begin(p, SF_STR_NONE, err);
    if (rc) {
        sf_partial_close(p);
        return rc;
    }
    *out = p;
    return SF_OK;
}

void sf_partial_close(struct sf_partial *p)
{
    if (!p)
        return;
    if (p->fd >= 0)
        close(p->fd);
    ZSTD_freeCCtx(p->zstd);
    free(p);
}

uint64_t sf_partial_bytes(const struct sf_partial *p)
{
    return p->safe_bytes;
}

struct sf_str sf_partial_what(const struct sf_partial *p)
{
    return p->what;
}

/* --- what came --- */

static enum sf_code add_decided(struct sf_partial *p, struct sf_str bytes, struct sf_err *err)
{
    struct sf_str kept;
    enum sf_code rc;
    if (p->is_packed) {
        rc = write_out(p, bytes.p, bytes.n, err);
        p->bytes = p->safe_bytes = p->safe_written = p->written;
        return rc;
    }
    rc = sf_meter_feed(p->meter, bytes, &kept, err);
    return rc ? rc : add_table_bytes(p, kept, err);
}

static enum sf_code decide(struct sf_partial *p, struct sf_err *err)
{
    p->is_decided = true;
    p->is_packed = p->n_first == MAGIC_BYTES &&
                   (memcmp(p->first, "\x1f\x8b", 2) == 0 || memcmp(p->first, "\x28\xb5\x2f\xfd", MAGIC_BYTES) == 0);
    enum sf_code rc = p->is_packed ? write_what(p, p->what, err) : SF_OK;
    return rc ? rc : add_decided(p, (struct sf_str){p->first, p->n_first}, err);
}

enum sf_code sf_partial_add(struct sf_partial *p, struct sf_str bytes, struct sf_err *err)
{
    while (!p->is_decided && bytes.n > 0) {
        p->first[p->n_first++] = bytes.p[0];
        bytes = sf_str_slice(bytes, 1, bytes.n);
        enum sf_code rc = p->n_first == MAGIC_BYTES ? decide(p, err) : SF_OK;
        if (rc)
            return rc;
    }
    return bytes.n ? add_decided(p, bytes, err) : SF_OK;
}

enum sf_code sf_partial_keep(struct sf_partial *p, struct sf_err *err)
{
    enum sf_code rc = p->is_decided || p->n_first == 0 ? SF_OK : decide(p, err);
    return rc ? rc : end_frame(p, err);
}

enum sf_code sf_partial_end_part(struct sf_partial *p, struct sf_err *err)
{
    enum sf_code rc = p->is_decided ? SF_OK : decide(p, err);
    bool lacks_newline = false;
    if (!rc && !p->is_packed)
        rc = sf_meter_end_part(p->meter, &lacks_newline, err);
    if (!rc && lacks_newline && p->is_paged)
        rc = add_table_bytes(p, SF_STR("\n"), err);
    return rc ? rc : end_frame(p, err);
}

/* --- the end --- */

static enum sf_code read_back(struct sf_partial *p, char hex[2 * HASH_BYTES], struct sf_err *err)
{
    unsigned char sum[HASH_BYTES];
    unsigned n = sizeof sum;
    uint64_t bytes = 0;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
        sf_out_of_memory();
    struct sf_str file = map_file(p->fd);
    bool is_whole = file.n == p->written;
    if (p->is_packed)
        is_whole = is_whole && EVP_DigestUpdate(hash, file.p, file.n) == 1;
    else
        is_whole = is_whole && unpack(file, NULL, hash, &bytes) && bytes == p->bytes;
    is_whole = is_whole && EVP_DigestFinal_ex(hash, sum, &n) == 1;
    unmap_file(file);
    EVP_MD_CTX_free(hash);
    if (!is_whole)
        return sf_fail(err, SF_E_UNKNOWN, "'%s' does not hold what was written to it", p->path.p);
    sf_text_hex(sum, sizeof sum, hex);
    return SF_OK;
}

static bool is_synced(struct sf_arena *arena, struct sf_str folder)
{
    int fd = open(sf_str_fmt(arena, "%s/snapshots", folder.p).p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return is_done;
}

enum sf_code sf_partial_finish(struct sf_partial *p, struct sf_arena *arena, struct sf_snapshot *out, struct sf_err *err)
{
    char hex[2 * HASH_BYTES];
    if (fsync(p->fd) != 0)
        return sf_fail_errno(err, SF_E_IO, "cannot write '%s'", p->path.p);
    enum sf_code rc = read_back(p, hex, err);
    if (rc) {
        unlink(p->what_path.p); /* nothing of it is trusted again */
        return rc;
    }
    char first = 0;
    bool is_gzip = p->is_packed && pread(p->fd, &first, 1, 0) == 1 && first == '\x1f';
    struct sf_str path = sf_str_fmt(arena, "%s/snapshots/%.16s.csv.%s", p->folder.p, hex, is_gzip ? "gz" : "zst");
    if (rename(p->path.p, path.p) != 0 || !is_synced(arena, p->folder))
        return sf_fail_errno(err, SF_E_IO, "cannot name '%s'", path.p);
    unlink(p->what_path.p);
    *out = (struct sf_snapshot){.path = path.p,
                                .id = sf_str_dup(arena, (struct sf_str){hex, 16}),
                                .bytes = p->bytes,
                                .packed_bytes = p->written,
                                .rows = p->meter->rows};
    return SF_OK;
}
