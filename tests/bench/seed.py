"""What is in the database: users, projects, grants and a catalog, written by SQL with the same ids each time."""

import dataclasses
import hashlib

REGIONS = ("RegionOne", "RegionTwo", "RegionThree")
INTERFACES = ("admin", "internal", "public")

# As deployments have them; a few URLs name the project. The service `identity` is made by the bootstrap.
SERVICES = """\
accelerator cyborg 6666/v2
alarming aodh 8042
application-catalog murano 8082
artifact glare 9494
backup freezer 9090
baremetal ironic 6385
baremetal-introspection ironic-inspector 5050
block-storage cinder 8776/v3
clustering senlin 8778
compute nova 8774/v2.1
container zun 9517/v1
container-infra magnum 9511/v1
data-processing sahara 8386/v1.1/$(project_id)s
database trove 8779/v1.0/$(tenant_id)s
dns designate 9001
event panko 8977
function-engine qinling 7070
image glance 9292
instance-ha masakari 15868/v1/$(project_id)s
key-manager barbican 9311
load-balancer octavia 9876
messaging zaqar 8888
metric gnocchi 8041
network neutron 9696
object-store swift 8080/v1/AUTH_$(project_id)s
orchestration heat 8004/v1/$(tenant_id)s
placement placement 8778/placement
shared-file-system manila 8786/v2
volumev3 cinderv3 8776/v3/$(project_id)s"""


@dataclasses.dataclass(frozen=True)
class Size:
    users: int
    projects: int
    grants_of_each: int
    revocation_events: int

    @property
    def grants(self):
        return self.users * self.grants_of_each


SIZES = {
    "S": Size(100, 100, 5, 0),
    "M": Size(10_000, 5_000, 5, 0),
    "L": Size(100_000, 50_000, 10, 100_000),
}

# What a session may leave out while it fills tables whose rows are right by construction.
QUICKLY = "SET SESSION unique_checks = 0, foreign_key_checks = 0;"

POPULATION = """
INSERT INTO project (id, name, extra, description, enabled, domain_id, parent_id, is_domain)
  SELECT MD5(CONCAT('project-', seq)), CONCAT('project-', seq), '{{}}', '', 1, 'default', 'default', 0
  FROM seq_1_to_{size.projects};
INSERT INTO user (id, extra, enabled, created_at, domain_id)
  SELECT MD5(CONCAT('user-', seq)), '{{}}', 1, UTC_TIMESTAMP(), 'default' FROM seq_1_to_{size.users};
INSERT INTO local_user (user_id, domain_id, name)
  SELECT MD5(CONCAT('user-', seq)), 'default', CONCAT('user-', seq) FROM seq_1_to_{size.users};
INSERT INTO password (local_user_id, self_service, password_hash, created_at_int, created_at)
  SELECT id, 0, '{password_hash}', UNIX_TIMESTAMP() * 1000000, UTC_TIMESTAMP() FROM local_user WHERE name LIKE 'user-%';
INSERT INTO assignment (type, actor_id, target_id, role_id, inherited)
  SELECT 'UserProject', MD5(CONCAT('user-', u.seq)),
    MD5(CONCAT('project-', (u.seq * {size.grants_of_each} + k.seq) MOD {size.projects} + 1)), role.id, 0
  FROM seq_1_to_{size.users} u JOIN seq_1_to_{size.grants_of_each} k JOIN role
  WHERE role.name = 'member' AND role.domain_id = '<<null>>';
"""

# Half of them name a token, a quarter a chain of tokens, a quarter a user; none is one of the bench's.
REVOCATION_EVENTS = """
INSERT INTO revocation_event (audit_id, audit_chain_id, user_id, issued_before, revoked_at)
  SELECT IF(seq MOD 4 < 2, LEFT(MD5(CONCAT('audit-', seq)), 22), NULL),
    IF(seq MOD 4 = 2, LEFT(MD5(CONCAT('chain-', seq)), 22), NULL),
    IF(seq MOD 4 = 3, MD5(CONCAT('gone-', seq)), NULL),
    UTC_TIMESTAMP(), UTC_TIMESTAMP()
  FROM seq_1_to_{count};
"""


def identifier(kind, number):
    """As `MD5(CONCAT(kind, '-', number))`."""
    return hashlib.md5(f"{kind}-{number}".encode()).hexdigest()


def project_of(size, user, grant=1):
    """The number of a project on which a user has a role."""
    return (user * size.grants_of_each + grant) % size.projects + 1


def population(size, password_hash):
    return QUICKLY + POPULATION.format(size=size, password_hash=password_hash)


def revocation_events(count):
    return REVOCATION_EVENTS.format(count=count) if count else ""


def catalog():
    """30 services in 3 regions with 3 interfaces: 270 endpoints, of which the bootstrap made 3."""
    regions = ", ".join(f"('{region}', '', '{{}}')" for region in REGIONS[1:])
    statements = [f"INSERT INTO region (id, description, extra) VALUES {regions};"]
    for line in SERVICES.splitlines():
        kind, name, port = line.split()
        service = identifier("service", kind)
        statements.append(
            "INSERT INTO service (id, type, enabled, extra) "
            f"""VALUES ('{service}', '{kind}', 1, '{{"name": "{name}"}}');"""
        )
        statements.append(endpoints(f"'{service}'", kind, port, REGIONS))
    identity = "(SELECT id FROM service WHERE type = 'identity')"
    statements.append(endpoints(identity, "identity", "5000/v3", REGIONS[1:]))
    return "\n".join(statements)


def endpoints(service, kind, port, regions):
    rows = ", ".join(
        f"('{identifier('endpoint', f'{kind}-{region}-{interface}')}', '{interface}', {service}, "
        f"'https://{kind}.{interface}.{region.lower()}.cloud.example:{port}', '{{}}', 1, '{region}')"
        for region in regions
        for interface in INTERFACES
    )
    return f"INSERT INTO endpoint (id, interface, service_id, url, extra, enabled, region_id) VALUES {rows};"


def rename(user, number):
    """Changes what a user's tokens say."""
    return f"UPDATE local_user SET name = 'user-{user}-{number}' WHERE user_id = '{identifier('user', user)}';"
