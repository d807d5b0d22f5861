//! What the section of an identity provider and its metadata decide about logins by SAML.

use keystone::api::WebSso;
use keystone::saml::IdentityProviderSettings;
use keystone::storage::sql;

use super::saml::{
    DASHBOARD, LOGIN, WEBSSO, begin, come_back, enhanced, honest, nobody_came, signer, with_saml,
    world_with,
};
use super::world::{World, settings, with_groups};

#[tokio::test]
async fn logins_are_by_the_configured_protocol_only() {
    let world = world_with(|acme| acme.protocol = "mapped".to_owned()).await;
    let nobody = world.cloud.nobody();
    nobody.get(WEBSSO).await.refused(401);
    nobody.send(enhanced(LOGIN, None)).await.refused(401);
    let anywhere = format!("/v3/auth/OS-FEDERATION/websso/saml2?origin={DASHBOARD}");
    nobody.get(&anywhere).await.refused(401);
    let by_mapped = WEBSSO.replace("saml2", "mapped");
    nobody.get(&by_mapped).await.with(302);
    let by_mapped = LOGIN.replace("saml2", "mapped");
    nobody.send(enhanced(&by_mapped, None)).await.ok();
}

#[tokio::test]
async fn a_proxy_that_vouches_goes_before_the_envelope() {
    let mut settings = with_saml(settings(), |_| ());
    let attribute = ("saml2".to_owned(), "OTHER".to_owned());
    settings
        .auth
        .federation
        .remote_id_attributes
        .extend([attribute]);
    let world = World::with(settings).await;
    for statement in [
        "INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES ('acme', 'saml2', 'm0')",
        "INSERT INTO idp_remote_ids (idp_id, remote_id) VALUES ('acme', 'https://idp.example.org')",
    ] {
        world.run(sql(statement)).await;
    }
    world.map("1.0", &with_groups()).await;
    let nobody = world.cloud.nobody();
    let variables = [("NAME", "alice"), ("G", "devs"), ("OTHER", signer::IDP)];
    let answer = nobody.send_vouched(enhanced(LOGIN, None), variables).await;
    assert_eq!(answer.created()["token"]["user"]["name"], "alice");
    nobody.send(enhanced(LOGIN, None)).await.ok();
}

#[tokio::test]
async fn metadata_that_cannot_be_used_stop_the_logins_of_their_provider_only() {
    let nowhere = |acme: &mut IdentityProviderSettings| acme.metadata_file = "/nowhere.xml".into();
    let world = world_with(nowhere).await;
    let nobody = world.cloud.nobody();
    assert_eq!(nobody.get(WEBSSO).await.status, 503);
    assert_eq!(nobody.send(enhanced(LOGIN, None)).await.status, 503);
    world.cloud.admin().await.get("/v3/users").await.ok();
}

#[tokio::test]
async fn a_browser_on_its_way_can_try_again_once_the_metadata_are_there() {
    let world = world_with(|_| ()).await;
    let nobody = world.cloud.nobody();
    let begun = begin(&nobody).await;
    let message = honest(&begun.request);
    let reload = async |settings| {
        let reloaded = world.cloud.keystone.reload(settings).await;
        reloaded.expect("settings");
    };
    let nowhere = |acme: &mut IdentityProviderSettings| acme.metadata_file = "/nowhere.xml".into();
    reload(with_saml(settings(), nowhere)).await;
    let answer = come_back(&nobody, &message, &begun).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("set-cookie"), None);
    reload(with_saml(settings(), |_| ())).await;
    come_back(&nobody, &message, &begun).await.ok();
}

#[tokio::test]
async fn a_dashboard_that_is_trusted_no_more_gets_no_token_by_saml() {
    let world = world_with(|_| ()).await;
    let nobody = world.cloud.nobody();
    let begun = begin(&nobody).await;
    let mut elsewhere = with_saml(settings(), |_| ());
    elsewhere.api.websso.dashboards = vec![WebSso::dashboard("https://other.example/")];
    let reloaded = world.cloud.keystone.reload(elsewhere).await;
    reloaded.expect("settings");
    let answer = come_back(&nobody, &honest(&begun.request), &begun).await;
    answer.refused(401);
    nobody_came(&world).await;
}

#[tokio::test]
async fn two_sections_do_not_share_an_entity() {
    let mut settings = with_saml(settings(), |_| ());
    let saml = settings.auth.saml_sp.as_mut().expect("it is there");
    let acme = saml.providers["acme"].clone();
    saml.providers.insert("open".to_owned(), acme);
    let world = World::with(settings).await;
    for statement in [
        "INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES ('acme', 'saml2', 'm0')",
        "INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES ('open', 'saml2', 'm0')",
    ] {
        world.run(sql(statement)).await;
    }
    let nobody = world.cloud.nobody();
    nobody.get(WEBSSO).await.with(302);
    let open = nobody.get(&WEBSSO.replace("acme", "open")).await;
    assert_eq!(open.status, 503);
}

#[tokio::test]
async fn a_browser_is_told_that_a_provider_has_no_page_for_it() {
    let without = |acme: &mut IdentityProviderSettings| {
        let text = std::fs::read_to_string(&acme.metadata_file).expect("it is there");
        let text = text.replace("HTTP-Redirect", "HTTP-POST");
        std::fs::write(&acme.metadata_file, text).expect("a temporary file is writable");
    };
    let mut settings = with_saml(settings(), without);
    settings.api.insecure_debug = true;
    let world = World::with(settings).await;
    let protocol =
        "INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES ('acme', 'saml2', 'm0')";
    world.run(sql(protocol)).await;
    let nobody = world.cloud.nobody();
    let told = nobody.get(WEBSSO).await.refused(401);
    assert!(told.contains("no SingleSignOnService"), "{told}");
    nobody.send(enhanced(LOGIN, None)).await.ok();
}
