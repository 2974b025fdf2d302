"""Time that passes when it is looked at: a state lasts so many virtual seconds, and each look lets some of them pass.

With the defaults a server is ONLINE at the second look and a cluster available at the third, on any machine, however slow.
Wall time can be let in as well (`seconds_per_wall_ms`) for clients that wait between their looks.
"""

import time

DELAYS = {  # virtual seconds
    "server_start": 30,
    "server_stop": 30,
    "cluster_create": 60,
    "cluster_modify": 30,
    "cluster_resize": 60,
    "cluster_pause": 30,
    "cluster_resume": 60,
    "cluster_reboot": 30,
    "cluster_delete": 60,
    "cluster_roles": 30,
    "namespace_modify": 30,
    "namespace_delete": 30,
    "workgroup_create": 60,
    "workgroup_modify": 30,
    "workgroup_delete": 60,
    "interface_delete": 30,  # a network interface outlives its cluster or workgroup
    "statement_queue": 0,  # of the Data API: how long a statement is SUBMITTED, then STARTED before it commits
    "statement_run": 40,
    "statement_kept": 86400,  # wall seconds that what came of a statement is kept
    "credentials": 0,  # wall seconds that temporary database users live; 0: as long as was asked for
    "role_visible": 0,  # how long other services do not know a new role
}


class Clock:
    def __init__(self):
        self.delays = dict(DELAYS)
        self.seconds_per_look = 30
        self.seconds_per_wall_ms = 0

    def wait(self, delay):
        return Wait(self, self.delays[delay])


class Wait:
    """A span of virtual time that has begun."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.began = clock, seconds, time.monotonic()

    def look(self):
        """Lets one look's time pass; says whether all of it is over."""
        self.seconds -= self.clock.seconds_per_look
        return self.is_over()

    def let_pass(self, seconds):
        """Lets more time pass than a look does, as a client does that waits so long; how much of it is left when this is over."""
        left = max(seconds - max(self.seconds, 0), 0)
        self.seconds -= seconds
        return left

    def is_over(self):
        wall_ms = (time.monotonic() - self.began) * 1000
        return self.seconds <= wall_ms * self.clock.seconds_per_wall_ms


class Changing:
    """Something that can be in the middle of a change: what it turns into once its time is over."""

    wait, then = None, None

    def change(self, wait, then):
        self.wait, self.then = wait, then

    def look(self):
        """Is called by each operation that shows the thing."""
        if self.wait and self.wait.look():
            then, self.wait, self.then = self.then, None, None
            then()
