//! Replays recorded requests and compares the answers with those of Python Keystone: `record` made the recordings from
//! `scenarios/`.

mod announced;
mod hide;
mod questions;
mod recording;
mod replay;

macro_rules! recordings {
    ($play:path, $kind:literal, $every:ident: $($name:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                $play(stringify!($name)).await;
            }
        )*

        #[test]
        fn $every() {
            assert_eq!(recording::names($kind), [$(stringify!($name)),*]);
        }
    };
}

// What the policy is asked.
recordings! { questions::replay, "questions", every_question_is_asked:
    credentials_beside_an_admin_project
    credentials_beside_half_an_admin_project
    credentials_of_callers
    targets_of_application_credentials
    targets_of_federation
    targets_of_limits
    targets_of_oauth1
    targets_of_people
    targets_of_places
    targets_of_roles
    targets_of_secrets
    targets_of_services
}

// What is announced, in both formats.
recordings! { announced::replay, "announced", every_announcement_is_made:
    announced_by_default_basic
    announced_by_default_cadf
    announced_cast_basic
    announced_cast_cadf
    announced_catalog_basic
    announced_catalog_cadf
    announced_expiry_basic
    announced_expiry_cadf
    announced_federation_basic
    announced_federation_cadf
    announced_grants_basic
    announced_grants_cadf
    announced_logins_basic
    announced_logins_cadf
    announced_oauth1_basic
    announced_oauth1_cadf
    announced_passcodes_basic
    announced_passcodes_cadf
    announced_people_basic
    announced_people_cadf
    announced_places_basic
    announced_places_cadf
    announced_secrets_basic
    announced_secrets_cadf
    announced_whole_hashes_basic
    announced_whole_hashes_cadf
    announced_wrong_passwords_basic
    announced_wrong_passwords_cadf
}

// One a line and in order, so that several can be added at once.
recordings! { replay::replay, "recorded", every_recording_is_played:
    access_rules
    access_rules_enforced
    acting_as_domains
    application_credential_input
    application_credential_limit
    application_credential_logins
    application_credential_tokens
    application_credentials
    application_credentials_cleaned_up
    application_credentials_ended
    application_credentials_listed
    application_credentials_not_enabled
    application_credentials_under_rules
    auth_lists
    bad_input
    browsers
    browsers_of_all_origins
    browsers_that_are_refused
    cast
    catalog
    catalog_listed
    cleaned_up
    credential_clean_up
    credential_input
    credential_lists
    credential_user_limit
    credentials
    discovery
    discovery_at_a_public_endpoint
    domain_config
    domain_config_defaults
    domains
    domains_cleaned_up
    ec2_credential_input
    ec2_credential_limit
    ec2_credentials
    ec2_tokens
    ec2_tokens_long_lived
    ec2_tokens_refused
    ec2_tokens_switched_off
    endpoint_filter
    endpoint_groups
    endpoint_policy
    endpoint_policy_search
    external_logins
    external_logins_ended
    external_logins_not_enabled
    external_logins_of_domains
    external_logins_under_rules
    federated_accounts
    federated_logins
    federated_memberships
    federated_tokens
    federated_users
    federation_protocols
    federation_scopes
    filtered_catalogs
    filtered_catalogs_only
    grants
    grants_by_caller
    group_members
    groups
    groups_listed
    heads
    health
    identity_provider_domains
    identity_providers
    immutable_domains
    implied_roles
    kerberos_logins
    kerberos_logins_only
    limit_clean_up
    limit_input
    limit_lists
    limits
    limits_in_trees
    limits_strict
    list_limits
    lists_of_one_domain
    lockout
    mappings
    mappings_of_another_version
    methods_together
    no_longer_served
    oauth1_access_tokens
    oauth1_at_a_public_endpoint
    oauth1_authorizations
    oauth1_consumers
    oauth1_endings
    oauth1_expired
    oauth1_flow
    oauth1_for_ever
    oauth1_request_tokens
    oauth2_tokens
    oauth2_tokens_by_certificate
    oauth2_tokens_by_certificate_ended
    oauth2_tokens_by_certificate_not_enabled
    oauth2_tokens_by_certificate_only
    oauth2_tokens_by_certificates_mapped
    oauth2_tokens_by_certificates_of_many_attributes
    odd_requests
    one_time_passwords
    one_time_passwords_disabled
    one_time_passwords_of_now
    password_change
    password_rules
    policies
    policies_limited
    project_tags
    projects
    projects_by_tag
    proxies
    proxies_parsed
    receipts
    receipts_beside_signed_tokens
    receipts_expired
    registered_limit_conflicts
    registered_limits
    removed_routes
    revoked_by_event
    role_assignments
    role_assignments_narrowed
    roles
    roles_listed
    roles_not_implied
    safe_domain_names
    safe_project_names
    saml2
    service_providers
    service_providers_in_tokens
    service_providers_prefixed
    shallow_trees
    signed_tokens
    signed_tokens_of_eddsa
    signed_tokens_of_es384
    signed_tokens_of_es512
    strict_names
    strict_passwords
    tokenless_administrators
    tokenless_by_another_protocol
    tokenless_callers
    tokenless_groups
    tokenless_trusts
    tokenless_users
    tokens_asked_for
    tokens_ended
    tokens_expired
    tokens_looked_at
    tokens_not_rescoped
    tokens_scoped
    trees_of_two
    trust_input
    trust_tokens
    trusts
    trusts_cleaned_up
    trusts_ended
    trusts_not_redelegated
    trusts_redelegated
    trusts_redelegated_once
    user_attributes
    user_options
    user_tokens
    users
    users_listed
}
