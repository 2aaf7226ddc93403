//! Settings of single owners: one value each, beside the setting of the engine for all others.
//!
//! All values of one kind are one setting of the store, which is read at the start and kept in memory, so that requests
//! read them without a query. The erasure of an owner removes its values in the same transaction.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::id::TenantId;
use crate::domain::name::Name;
use crate::domain::scope::{Owner, OwnerKind};
use crate::error::Error;
use crate::store::{Store, StoreError};

/// Maximum number of owners with a value of their own, for each kind of value.
const OWNERS_WITH_SETTINGS_AT_MOST: usize = 10_000;

/// A value that owners may have.
pub(crate) trait OwnerValue: Clone {
    /// Name of the setting in the store.
    const SETTING: &'static str;
    /// Name of the value in an entry of the setting.
    const FIELD: &'static str;

    /// Number of owners that have one, in words.
    const LIMITED: &'static str;

    /// Stored form.
    fn to_text(&self) -> String;

    /// Value of a stored form; `None` for one that this version does not know.
    fn from_text(text: &str) -> Option<Self>;
}

/// Error of one more owner than [`OWNERS_WITH_SETTINGS_AT_MOST`]; `field` has the value in the request.
pub(crate) fn too_many_owners<V: OwnerValue>(field: &str) -> Error {
    let limit = OWNERS_WITH_SETTINGS_AT_MOST as u64;
    Error::OverLimit { field: field.to_owned(), what: V::LIMITED, limit }
}

type Values<V> = HashMap<(TenantId, Owner), V>;

/// Values of owners.
#[derive(Debug)]
pub(crate) struct OwnerSettings<V> {
    values: RwLock<Values<V>>,
    /// Serialises the writers of the setting.
    writing: Mutex<()>,
}

impl<V: OwnerValue> OwnerSettings<V> {
    /// Values in the store. Entries that this version does not know are ignored, and lost at the next write.
    pub(crate) async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let stored = store.setting(V::SETTING).await?.unwrap_or_default();
        let entries: Vec<Value> = serde_json::from_str(&stored).unwrap_or_default();
        let values = entries.iter().filter_map(decoded).collect();
        Ok(Self { values: RwLock::new(values), writing: Mutex::new(()) })
    }

    /// True if no owner has a value.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.read().is_empty()
    }

    /// Value of an owner.
    pub(crate) fn of(&self, tenant: TenantId, owner: &Owner) -> Option<V> {
        let values = self.values.read();
        if values.is_empty() { None } else { values.get(&(tenant, owner.clone())).cloned() }
    }

    /// True if the owner can be given a value: it has one, or not too many others have.
    pub(crate) fn has_room_for(&self, tenant: TenantId, owner: &Owner) -> bool {
        let values = self.values.read();
        values.len() < OWNERS_WITH_SETTINGS_AT_MOST || values.contains_key(&(tenant, owner.clone()))
    }

    /// Sets or removes the value of an owner. False, and nothing is changed, if too many owners have one.
    pub(crate) async fn set(
        &self,
        store: &Arc<dyn Store>,
        (tenant, owner): (TenantId, Owner),
        value: Option<V>,
    ) -> Result<bool, StoreError> {
        let _one_writer = self.writing.lock().await;
        if value.is_some() && !self.has_room_for(tenant, &owner) {
            return Ok(false);
        }
        let mut values = self.values.read().clone();
        match value {
            Some(value) => values.insert((tenant, owner), value),
            None => values.remove(&(tenant, owner)),
        };
        store.put_setting(V::SETTING, &encoded(&values)).await?;
        *self.values.write() = values;
        Ok(true)
    }

    /// The values without those of an owner that is to be erased. None is set before the result is dropped.
    pub(crate) async fn without(&self, tenant: TenantId, owner: &Owner) -> WithoutOwner<'_, V> {
        let one_writer = self.writing.lock().await;
        let mut values = self.values.read().clone();
        let had_one = values.remove(&(tenant, owner.clone())).is_some();
        WithoutOwner { settings: self, values: had_one.then_some(values), _one_writer: one_writer }
    }
}

/// Values without an owner, which are in use once its erasure is committed.
pub(crate) struct WithoutOwner<'a, V> {
    settings: &'a OwnerSettings<V>,
    /// The values that are left, if the owner has one.
    values: Option<Values<V>>,
    _one_writer: MutexGuard<'a, ()>,
}

impl<V: OwnerValue> WithoutOwner<'_, V> {
    /// Setting of the store to write with the erasure.
    pub(crate) fn setting(&self) -> Option<(String, String)> {
        self.values.as_ref().map(|values| (V::SETTING.to_owned(), encoded(values)))
    }

    /// Uses them: the erasure is committed.
    pub(crate) fn use_now(self) {
        if let Some(values) = self.values {
            *self.settings.values.write() = values;
        }
    }
}

fn decoded<V: OwnerValue>(entry: &Value) -> Option<((TenantId, Owner), V)> {
    let text = |field: &str| entry.get(field)?.as_str();
    let tenant = TenantId(text("tenant")?.parse().ok()?);
    let owner =
        Owner { kind: OwnerKind::parse(text("owner_kind")?)?, id: Name::new(text("owner_id")?).ok()? };
    Some(((tenant, owner), V::from_text(text(V::FIELD)?)?))
}

/// Value of the setting.
fn encoded<V: OwnerValue>(values: &Values<V>) -> String {
    let mut entries: Vec<_> = values.iter().collect();
    entries.sort_by_key(|((tenant, owner), _)| (tenant.0, owner.kind.as_str(), owner.id.as_str()));
    let entries = entries.into_iter().map(|((tenant, owner), value)| {
        json!({
            "tenant": tenant.0,
            "owner_kind": owner.kind.as_str(),
            "owner_id": owner.id.as_str(),
            (V::FIELD): value.to_text(),
        })
    });
    Value::Array(entries.collect()).to_string()
}
