/* See gunzip.h. */
#include "resources/net/gunzip.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

enum { PACKED_BYTES = 128 * 1024, MOST_BYTES = 1 << 30 /* at a time */ };

struct sf_gunzip_state {
    struct inflate_state inflate;
    bool is_at_end; /* of the packed bytes */
    bool is_in_member;
    unsigned char packed[PACKED_BYTES];
};

static void begin(struct sf_gunzip *g)
{
    g->state = calloc(1, sizeof *g->state);
    if (!g->state)
        sf_out_of_memory();
    isal_inflate_init(&g->state->inflate);
    g->state->inflate.crc_flag = ISAL_GZIP; /* checks sum and length of each member */
}

static enum sf_code refill(struct sf_gunzip *g, struct sf_err *err)
{
    struct sf_gunzip_state *s = g->state;
    size_t got = 0;
    enum sf_code rc = g->source(g->from, s->packed, PACKED_BYTES, &got, err);
    s->is_at_end = got == 0;
    s->inflate.next_in = s->packed;
    s->inflate.avail_in = (uint32_t)got;
    return rc;
}

static enum sf_code fail(struct sf_gunzip *g, const char *trouble)
{
    g->trouble = trouble;
    return SF_E_DATA;
}

enum sf_code sf_gunzip_read(struct sf_gunzip *g, void *bytes, size_t n, size_t *got, struct sf_err *err)
{
    if (!g->state)
        begin(g);
    struct sf_gunzip_state *s = g->state;
    struct inflate_state *in = &s->inflate;
    uint32_t room = n < MOST_BYTES ? (uint32_t)n : MOST_BYTES;
    in->next_out = bytes;
    in->avail_out = room;
    while (in->avail_out > 0) {
        if (in->avail_in == 0 && !s->is_at_end) {
            enum sf_code rc = refill(g, err);
            if (rc)
                return rc;
        }
        if (!s->is_in_member && in->avail_in == 0)
            break;
        if (!s->is_in_member)
            isal_inflate_reset(in);
        s->is_in_member = true;
        uint32_t room_before = in->avail_out, packed_before = in->avail_in;
        if (isal_inflate(in) < 0)
            return fail(g, "is damaged");
        s->is_in_member = in->block_state != ISAL_BLOCK_FINISH;
        /* at the end of the packed bytes there may be some more unpacked ones to come out */
        if (s->is_in_member && s->is_at_end && in->avail_out == room_before && in->avail_in == packed_before)
            return fail(g, "ends too early: it is cut off");
    }
    *got = room - in->avail_out;
    return SF_OK;
}

void sf_gunzip_free(struct sf_gunzip *g)
{
    free(g->state);
    g->state = NULL;
}
