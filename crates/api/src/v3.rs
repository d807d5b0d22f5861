//! The routes of `/v3`, a file a resource: this is their table of contents.

mod auth;
mod domains;
mod endpoints;
mod grants;
mod groups;
pub(crate) mod health;
mod projects;
mod regions;
mod roles;
mod services;
mod users;

use axum::Router;
use axum::routing::{get, post};

use crate::Live;

pub(crate) fn routes() -> Router<Live> {
    Router::new()
        .route("/v3/auth/catalog", get(auth::catalog))
        .route("/v3/auth/domains", get(auth::domains))
        .route("/v3/auth/projects", get(auth::projects))
        .route("/v3/auth/system", get(auth::system))
        .route(
            "/v3/auth/tokens",
            get(auth::validate).post(auth::issue).delete(auth::revoke),
        )
        .route("/v3/domains", get(domains::list).post(domains::create))
        .route(
            "/v3/domains/{domain_id}",
            get(domains::show)
                .patch(domains::update)
                .delete(domains::delete),
        )
        .route(
            "/v3/endpoints",
            get(endpoints::list).post(endpoints::create),
        )
        .route(
            "/v3/endpoints/{endpoint_id}",
            get(endpoints::show)
                .patch(endpoints::update)
                .delete(endpoints::delete),
        )
        .route("/v3/groups", get(groups::list).post(groups::create))
        .route(
            "/v3/groups/{group_id}",
            get(groups::show)
                .patch(groups::update)
                .delete(groups::delete),
        )
        .route("/v3/groups/{group_id}/users", get(groups::users))
        .route(
            "/v3/groups/{group_id}/users/{user_id}",
            get(groups::check_user)
                .put(groups::add_user)
                .delete(groups::remove_user),
        )
        .route("/v3/projects", get(projects::list).post(projects::create))
        .route(
            "/v3/projects/{project_id}",
            get(projects::show)
                .patch(projects::update)
                .delete(projects::delete),
        )
        .route("/v3/regions", get(regions::list).post(regions::create))
        .route(
            "/v3/regions/{region_id}",
            get(regions::show)
                .put(regions::put)
                .patch(regions::update)
                .delete(regions::delete),
        )
        .route("/v3/roles", get(roles::list).post(roles::create))
        .route(
            "/v3/roles/{role_id}",
            get(roles::show).patch(roles::update).delete(roles::delete),
        )
        .route("/v3/services", get(services::list).post(services::create))
        .route(
            "/v3/services/{service_id}",
            get(services::show)
                .patch(services::update)
                .delete(services::delete),
        )
        .route("/v3/users", get(users::list).post(users::create))
        .route(
            "/v3/users/{user_id}",
            get(users::show).patch(users::update).delete(users::delete),
        )
        .route("/v3/users/{user_id}/groups", get(users::groups))
        .route("/v3/users/{user_id}/password", post(users::change_password))
        .route("/v3/users/{user_id}/projects", get(users::projects))
        .merge(grants::routes())
}
