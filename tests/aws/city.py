"""The warehouse of a city, of which tests of the kind cluster take the parts that they need; its password comes from outside."""

PASSWORD = "Correct1horse2battery"
HEAD = """stack: city
provider: aws
tags: {owner: controller}
variables:
  password: {type: string, secret: true}
resources:
"""
CLIENTS = "  sql: {kind: security_group, name: city-sql, ingress: [{port: 5439, from: [203.0.113.0/24]}]}\n"
WAREHOUSE = """  dw:
    kind: cluster
    identifier: city-dw
    database: san_francisco
    username: steward
    password: "${var.password}"
"""
FOR_CLIENTS = "    security_groups: [sql]\n"


def city_on(ws, stack):
    """The workspace, with that stack to apply."""
    ws.write("stack.yaml", stack)
    ws.env["SF_VAR_password"] = PASSWORD
    return ws
