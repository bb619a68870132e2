//! Storing a definition (`sql/schema/20_definition.sql`).

use pgrx::pg_sys::PgBuiltInOids as Type;

use super::{DbResult, Plan};

thread_local! {
    static DEPLOY: Plan = const { Plan::new(
        "select rhythm._deploy_as($1, $2, $3::name, $4)::text",
        &[Type::TEXTOID, Type::TEXTOID, Type::TEXTOID, Type::TEXTOID],
    ) };
}

/// Compiles and stores a version. Gives what `_deploy_as` says, as JSON text.
pub(crate) fn deploy(
    name: Option<&str>,
    source: Option<&str>,
    deployer: &str,
    search_path: &str,
) -> DbResult<String> {
    DEPLOY.with(|plan| {
        plan.query(
            &[
                name.into(),
                source.into(),
                deployer.into(),
                search_path.into(),
            ],
            |rows| Ok(rows.first().get_one()?.unwrap_or_default()),
        )
    })
}
