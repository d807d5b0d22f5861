//! The policy of a service that stores images, and the tools that its operators have with it.
//!
//! ```text
//! cargo run -p keystone-policy --example images sample                    # a policy file to begin with
//! cargo run -p keystone-policy --example images policy policy.yaml        # the rules that a policy file leads to
//! cargo run -p keystone-policy --example images ask image:delete member   # may a member, and why
//! ```
#![expect(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::error::Error;
use std::path::Path;

use keystone_policy::{
    DefaultRule, Deprecated, Enforcer, Overrides, Registry, Request, ScopeType, Settings,
};
use serde_json::json;

/// What the service registers, as `list_rules` of a Python service does.
fn registry() -> Registry {
    let rules = [
        DefaultRule::new("owner", "role:member and project_id:%(owner)s")
            .description("Members of the project that owns an image."),
        DefaultRule::new("image:get", "rule:owner or public:yes")
            .description("Show an image.")
            .operation("GET", "/v1/images/{image_id}")
            .operation("HEAD", "/v1/images/{image_id}")
            .scope_types([ScopeType::Project]),
        DefaultRule::new("image:delete", "role:admin or rule:owner")
            .description("Delete an image.")
            .operation("DELETE", "/v1/images/{image_id}")
            .scope_types([ScopeType::Project])
            .replaces(
                Deprecated::new("image:remove", "role:admin")
                    .because("Owners may delete their images now.", "2.0"),
            ),
    ];
    // A kind of check that only this service knows: `public:yes`.
    Registry::new(rules).check("public", |wanted| match wanted {
        "yes" => Ok(|request: &Request<'_>| {
            let visibility = request.target_value("visibility");
            Ok(visibility.is_some_and(|visibility| visibility == "public"))
        }),
        _ => Err("`public:` is followed by `yes`".to_owned()),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["sample"] => print!("{}", registry().sample()),
        ["policy", file] => {
            let overrides = Overrides::from_file(Path::new(file))?;
            print!("{}", registry().policy(&overrides));
        }
        ["ask", rule, caller] => {
            // In a service this is made once, and answers every request.
            let settings = Settings {
                file: Some("policy.yaml".into()),
                dirs: vec!["policy.d".into()],
                ..Settings::default()
            };
            let enforcer = Enforcer::with_defaults(registry(), settings)?;
            let target = json!({"owner": "p1", "visibility": "private"});
            let credentials = json!({"user_id": "u1", "project_id": "p1", "roles": [caller]});
            print!("{}", enforcer.explain(rule, &target, &credentials));
            enforcer.enforce(rule, &target, &credentials)?;
        }
        _ => return Err("say `sample`, `policy FILE` or `ask RULE ROLE`".into()),
    }
    Ok(())
}
