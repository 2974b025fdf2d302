"""Temporary database users: GetClusterCredentials, GetClusterCredentialsWithIAM, and GetCredentials of Redshift Serverless.

A real login in the database behind, under the name that AWS gives (`IAM:name`, `IAMA:name` when it was to be made, `IAMR:role`), which
acts as the database user it stands for, and which PostgreSQL no longer lets in when its time is over.
"""

import datetime

from server_pg import literal, quoted
from server_redshift import Redshift, invalid
from server_serverless import Serverless, not_found
from server_sql import SERVING
from server_statements import iam_user
from server_wire import AwsError
from server_world import handles


def seconds_of(call, name, default, error):
    seconds = call.params.get(name, default)
    if not 900 <= seconds <= 3600:
        raise error(f"The duration must be between 900 and 3600 seconds, not {seconds}")
    return seconds


def find_cluster(call):
    cluster = call.state(Redshift).clusters.get(call.params.get("ClusterIdentifier"))
    if cluster is None:
        raise AwsError("ClusterNotFound", f"Cluster {call.params.get('ClusterIdentifier')} not found.", 404)
    if cluster.status not in SERVING:
        raise AwsError("InvalidClusterState", f"Cluster {cluster.id} is {cluster.status}")
    return cluster


def password_for(call, thing, login, user, is_made, seconds):
    """Makes the login, and with `is_made` the user behind it. (password, time at which it is over)"""
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=call.clock.delays["credentials"] or seconds)
    password = call.world.password()
    if not call.world.databases:
        return password, until
    engine = call.world.databases.store_of(thing).engine("postgres")
    try:
        def has(name):
            return bool(engine.run("select 1 from pg_roles where rolname = " + literal(name)).rows)

        if user != login and is_made and not has(user):
            engine.run(f"create role {quoted(user)} login")
        engine.run(f"{'alter' if has(login) else 'create'} role {quoted(login)} login password {literal(password)}"
                   f" valid until {literal(until.isoformat())}")
        if user != login and has(user):
            engine.run(f"grant {quoted(user)} to {quoted(login)}")
            engine.run(f"alter role {quoted(login)} set role = {quoted(user)}")
        elif user != login:
            engine.run(f"alter role {quoted(login)} nologin")  # there is nobody whom it stands for
    finally:
        engine.close()
    return password, until


@handles("redshift", "GetClusterCredentials")
def get_cluster_credentials(call):
    cluster, user, is_made = find_cluster(call), call.params["DbUser"].lower(), call.params.get("AutoCreate", False)
    seconds = seconds_of(call, "DurationSeconds", 900, invalid)
    login = f"{'IAMA' if is_made else 'IAM'}:{user}"
    password, until = password_for(call, cluster, login, user, is_made, seconds)
    return {"DbUser": login, "DbPassword": password, "Expiration": until}


@handles("redshift", "GetClusterCredentialsWithIAM")
def get_cluster_credentials_with_iam(call):
    cluster, seconds = find_cluster(call), seconds_of(call, "DurationSeconds", 900, invalid)
    login = iam_user(call)
    password, until = password_for(call, cluster, login, login, True, seconds)
    return {"DbUser": login, "DbPassword": password, "Expiration": until, "NextRefreshTime": until}


@handles("redshift-serverless", "GetCredentials")
def get_credentials(call):
    def refused(message):
        return AwsError("ValidationException", message)

    name = call.params.get("workgroupName")
    group = call.state(Serverless).workgroups.get(name)
    if group is None:
        raise not_found("workgroup", name)
    if group.status not in SERVING:
        raise refused(f"The workgroup {name} is {group.status}")
    seconds = seconds_of(call, "durationSeconds", 900, refused)
    login = iam_user(call)
    password, until = password_for(call, group, login, login, True, seconds)
    return {"dbUser": login, "dbPassword": password, "expiration": until, "nextRefreshTime": until}
