/* Joins the worlds that are linked in with the engine's view of them. */
#include "resources/data/world.h"

bool sf_provider_find(struct sf_str name, struct sf_provider *out)
{
    for (size_t i = 0; sf_worlds[i]; i++) {
        const struct sf_world *world = sf_worlds[i];
        if (!sf_str_is(name, world->name))
            continue;
        *out = (struct sf_provider){.name = world->name,
                                    .account = world->account,
                                    .region = world->region,
                                    .world = world,
                                    .check = world->check,
                                    .greet = world->greet,
                                    .close = world->close,
                                    .ask_rights = world->ask_rights,
                                    .open = world->open,
                                    .sweep = world->sweep};
        return true;
    }
    return false;
}
