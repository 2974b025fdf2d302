/* Page arena. Small requests are cut from 64 KiB pages; large ones get a page of their own. */
#include "engine/core/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 64 * 1024, FIRST_PAGE_BYTES = 4 * 1024, ALIGN = 16 };

struct page {
    struct page *next;
    size_t used;
    size_t size;
    _Alignas(ALIGN) unsigned char bytes[];
};

struct sf_arena {
    struct page *pages; /* newest first; only the first is cut from */
};

_Noreturn void sf_out_of_memory(void)
{
    fputs("error: out of memory\nhint: state is safe; run the command again on a machine with more memory\n", stderr);
    abort();
}

struct sf_arena *sf_arena_new(void)
{
    struct sf_arena *arena = calloc(1, sizeof(*arena));
    if (!arena)
        sf_out_of_memory();
    return arena;
}

void sf_arena_free(struct sf_arena *arena)
{
    if (!arena)
        return;
    for (struct page *page = arena->pages, *next; page; page = next) {
        next = page->next;
        free(page);
    }
    free(arena);
}

void sf_arena_free_wiped(struct sf_arena *arena)
{
    for (struct page *page = arena ? arena->pages : NULL; page; page = page->next)
        explicit_bzero(page->bytes, page->used);
    sf_arena_free(arena);
}

static struct page *page_new(size_t size)
{
    struct page *page = malloc(sizeof(*page) + size);
    if (!page)
        sf_out_of_memory();
    page->next = NULL;
    page->used = 0;
    page->size = size;
    return page;
}

void *sf_arena_alloc(struct sf_arena *arena, size_t n)
{
    if (n > SIZE_MAX / 2)
        sf_out_of_memory();
    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct page *top = arena->pages;
    if (!top || top->size - top->used < n) {
        if (n > PAGE_BYTES / 4 && top) { /* own page, behind the one still being cut from */
            struct page *own = page_new(n);
            own->next = top->next;
            top->next = own;
            own->used = n;
            return memset(own->bytes, 0, n);
        }
        size_t size = top ? PAGE_BYTES : FIRST_PAGE_BYTES;
        top = page_new(n > size ? n : size);
        top->next = arena->pages;
        arena->pages = top;
    }
    void *memory = top->bytes + top->used;
    top->used += n;
    return memset(memory, 0, n);
}

void *sf_arena_array(struct sf_arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 2 / size)
        sf_out_of_memory();
    return sf_arena_alloc(arena, count * size);
}
