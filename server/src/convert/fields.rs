//! Conversion of the field types that requests share: scopes, names, times, links, metadata.

use engrain::wire;
use memory_core::domain::given_time::GivenTime;
use memory_core::domain::id::MemoryId;
use memory_core::domain::link::Link;
use memory_core::domain::metadata::Metadata;
use memory_core::domain::name::Name;
use memory_core::domain::scope::Scope;
use memory_core::domain::statement::{Attribute, Statement};
use memory_core::domain::time::{Interval, Timestamp};
use memory_core::domain::turn::Role;
use memory_core::domain::zone::{UtcOffset, Zone};
use memory_core::domain::{memory, turn};
use memory_core::error::Error;
use serde_json::{Map, Value};

/// Scope of a request. Whether it names an owner is for the engine to check.
pub(crate) fn scope(scope: &wire::Scope, path: &str) -> Result<Scope, Error> {
    let id = |id: &Option<String>, field: &str| optional_name(id.as_deref(), &format!("{path}.{field}"));
    Ok(Scope {
        user: id(&scope.user_id, "user_id")?,
        agent: id(&scope.agent_id, "agent_id")?,
        app: id(&scope.app_id, "app_id")?,
        run: id(&scope.run_id, "run_id")?,
    })
}

pub(super) fn name(text: &str, path: &str) -> Result<Name, Error> {
    Name::new(text).map_err(|error| Error::invalid(path, error))
}

pub(super) fn optional_name(text: Option<&str>, path: &str) -> Result<Option<Name>, Error> {
    text.map(|text| name(text, path)).transpose()
}

pub(super) fn names(texts: &[String], path: &str) -> Result<Vec<Name>, Error> {
    texts.iter().enumerate().map(|(index, text)| name(text, &format!("{path}[{index}]"))).collect()
}

pub(super) fn links(links: Vec<wire::Link>, path: &str) -> Result<Vec<Link>, Error> {
    let links = links.into_iter().enumerate().map(|(index, link)| {
        let relation = name(&link.relation, &format!("{path}[{index}].relation"))?;
        Ok(Link { to: MemoryId(link.to), relation, weight: link.weight, reason: link.reason })
    });
    links.collect()
}

/// Structured content of a fact. The range of its confidence is for the engine to check.
pub(super) fn statement(statement: &wire::Statement, path: &str) -> Result<Statement, Error> {
    let attribute = statement.attribute.as_deref().map(|text| {
        let detail = format!(
            "must be snake_case: 1 to {} of a to z, 0 to 9 and _, beginning with a letter",
            Attribute::MAX_BYTES
        );
        Attribute::new(text).ok_or_else(|| Error::invalid(format!("{path}.attribute"), detail))
    });
    Ok(Statement {
        subject: name(&statement.subject, &format!("{path}.subject"))?,
        relation: optional_name(statement.relation.as_deref(), &format!("{path}.relation"))?,
        object: optional_name(statement.object.as_deref(), &format!("{path}.object"))?,
        attribute: attribute.transpose()?,
        confidence: statement.confidence,
        said_by: role(statement.said_by),
    })
}

/// Time of a request, before its bare date is read in a zone.
pub(super) fn given_time(text: &str, path: &str) -> Result<GivenTime, Error> {
    GivenTime::parse(text).ok_or_else(|| {
        Error::invalid(path, "must be an RFC 3339 time (2023-05-20T02:21:00Z) or a date (2023-05-20)")
    })
}

/// Time of a request, with a bare date read in a zone.
pub(super) fn time(text: &str, zone: &Zone, path: &str) -> Result<Timestamp, Error> {
    Ok(given_time(text, path)?.at(zone))
}

pub(crate) fn optional_time(text: Option<&str>, zone: &Zone, path: &str) -> Result<Option<Timestamp>, Error> {
    text.map(|text| time(text, zone, path)).transpose()
}

/// Time of a request with the offset that keeps its local day, if it tells one.
pub(super) fn local_time(
    text: Option<&str>,
    zone: &Zone,
    path: &str,
) -> Result<(Option<Timestamp>, Option<UtcOffset>), Error> {
    let given = text.map(|text| given_time(text, path)).transpose()?;
    Ok((given.map(|given| given.at(zone)), given.and_then(|given| given.offset(zone))))
}

/// Zone in which the bare dates of a request on a scope are read.
pub(crate) type ZoneOf<'a> = dyn Fn(&Scope) -> Zone + 'a;

/// Time zone of a request.
pub(crate) fn zone(text: Option<&str>, path: &str) -> Result<Option<Zone>, Error> {
    let zone = |text| {
        Zone::parse(text).ok_or_else(|| {
            let detail = "must be a name in the IANA time-zone database (Asia/Shanghai) or an offset from UTC (+08:00)";
            Error::invalid(path, detail)
        })
    };
    text.map(zone).transpose()
}

/// Interval from the fields `valid_from` and `valid_to`, whose paths `path` gives.
pub(super) fn valid(
    from: Option<&str>,
    to: Option<&str>,
    zone: &Zone,
    path: &dyn Fn(&str) -> String,
) -> Result<Interval, Error> {
    Ok(Interval {
        start: optional_time(from, zone, &path("valid_from"))?,
        end: optional_time(to, zone, &path("valid_to"))?,
    })
}

pub(super) fn metadata(object: Map<String, Value>, path: &str) -> Result<Metadata, Error> {
    Metadata::new(object).map_err(|error| Error::invalid(path, error))
}

pub(super) fn visibility(visibility: wire::Visibility) -> memory::Visibility {
    match visibility {
        wire::Visibility::Owner => memory::Visibility::Owner,
        wire::Visibility::Shared => memory::Visibility::Shared,
    }
}

pub(super) fn role(role: wire::Role) -> Role {
    match role {
        wire::Role::User => turn::Role::User,
        wire::Role::Assistant => turn::Role::Assistant,
        wire::Role::System => turn::Role::System,
        wire::Role::Tool => turn::Role::Tool,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_time_zone_is_refused_with_its_path() {
        let refused = zone(Some("Mars/Olympus"), "timezone").expect_err("refused").to_string();
        assert!(refused.starts_with("timezone: must be a name in the IANA time-zone database"), "{refused}");
        assert_eq!(
            zone(Some("asia/shanghai"), "timezone").ok().flatten().map(|zone| zone.name()),
            Some("Asia/Shanghai".into())
        );
        assert_eq!(zone(None, "timezone").ok().flatten(), None);
    }

    #[test]
    fn a_scope_with_an_invalid_id_names_that_id() {
        let refused = |scope: wire::Scope| super::scope(&scope, "scope").expect_err("refused").to_string();
        assert!(refused(wire::Scope::user(" ")).starts_with("scope.user_id: "));
        let agent = wire::Scope { agent_id: Some("a\u{7}".to_owned()), ..wire::Scope::user("u") };
        assert!(refused(agent).starts_with("scope.agent_id: "));
    }
}
