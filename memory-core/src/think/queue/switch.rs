//! Switch of thinking: the settings of the engine, and the owners with a profile of their own.
//!
//! Profiles of owners are one setting of the store, which is read at the start and kept in memory: a write of turns reads
//! them without a query.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::domain::change::ChangeSet;
use crate::domain::id::{JobId, TenantId};
use crate::domain::name::Name;
use crate::domain::scope::{Owner, OwnerKind};
use crate::store::{Store, StoreError};
use crate::think::calls::meter::Meter;
use crate::think::queue::request;
use crate::think::settings::{Profile, ThinkingSettings};

/// Maximum number of owners with a profile of their own.
pub(crate) const OWN_PROFILES_AT_MOST: usize = 10_000;
/// Name of the setting in the store.
const SETTING: &str = "thinking.profiles";

type Profiles = HashMap<(TenantId, Owner), Profile>;

/// Settings and profiles, with the signal that a thinking job has ended.
#[derive(Debug)]
pub(crate) struct Switch {
    pub(in crate::think) settings: ThinkingSettings,
    pub(in crate::think) meter: Meter,
    profiles: RwLock<Profiles>,
    /// Serialises the writers of the setting.
    writing: Mutex<()>,
    ended: watch::Sender<()>,
}

/// Entry of the setting.
#[derive(Serialize, Deserialize)]
struct Entry {
    tenant: uuid::Uuid,
    owner_kind: String,
    owner_id: String,
    profile: String,
}

impl Switch {
    /// Settings of the engine, with the profiles in the store.
    pub(crate) async fn load(settings: ThinkingSettings, store: &dyn Store) -> Result<Self, StoreError> {
        let stored = store.setting(SETTING).await?.unwrap_or_default();
        // Entries of a profile that this version does not know are ignored, and lost at the next write.
        let entries: Vec<Entry> = serde_json::from_str(&stored).unwrap_or_default();
        let profiles = entries.into_iter().filter_map(|entry| {
            let owner =
                Owner { kind: OwnerKind::parse(&entry.owner_kind)?, id: Name::new(&entry.owner_id).ok()? };
            Some(((TenantId(entry.tenant), owner), Profile::parse(&entry.profile)?))
        });
        let profiles = RwLock::new(profiles.collect());
        Ok(Self {
            settings,
            meter: Meter::default(),
            profiles,
            writing: Mutex::new(()),
            ended: watch::channel(()).0,
        })
    }

    /// Own profile of an owner.
    pub(in crate::think) fn own_profile(&self, tenant: TenantId, owner: &Owner) -> Option<Profile> {
        let profiles = self.profiles.read();
        if profiles.is_empty() { None } else { profiles.get(&(tenant, owner.clone())).copied() }
    }

    /// Profile in use for an owner.
    pub(in crate::think) fn profile(&self, tenant: TenantId, owner: &Owner) -> Profile {
        self.own_profile(tenant, owner).unwrap_or(self.settings.profile)
    }

    /// Sets or removes the own profile of an owner. False, and nothing is changed, if too many owners have one.
    pub(in crate::think) async fn set_profile(
        &self,
        store: &Arc<dyn Store>,
        (tenant, owner): (TenantId, Owner),
        profile: Option<Profile>,
    ) -> Result<bool, StoreError> {
        let _one_writer = self.writing.lock().await;
        let mut profiles = self.profiles.read().clone();
        match profile {
            Some(profile) => profiles.insert((tenant, owner), profile),
            None => profiles.remove(&(tenant, owner)),
        };
        if profiles.len() > OWN_PROFILES_AT_MOST {
            return Ok(false);
        }
        store.put_setting(SETTING, &encoded(&profiles)).await?;
        *self.profiles.write() = profiles;
        Ok(true)
    }

    /// The settings without an owner that is to be erased. No profile is set before the result is dropped.
    pub(crate) async fn without(&self, tenant: TenantId, owner: &Owner) -> WithoutOwner<'_> {
        let one_writer = self.writing.lock().await;
        let mut profiles = self.profiles.read().clone();
        let had_one = profiles.remove(&(tenant, owner.clone())).is_some();
        WithoutOwner { switch: self, profiles: had_one.then_some(profiles), _one_writer: one_writer }
    }

    /// Adds to a set of new turns the request to think about them, if a mechanism of the owner's profile can. True if it
    /// was added.
    pub(crate) fn request(&self, set: &mut ChangeSet, id: JobId) -> bool {
        let profile = self.profile(set.tenant, &set.owner);
        let can_think = self.settings.can_think(profile);
        if can_think {
            request::request(set, profile, id);
        }
        can_think
    }

    /// Drops the replies that language models keep, after an erasure.
    pub(crate) fn forget_replies(&self) {
        self.settings.models.values().for_each(|task| task.model.forget_all());
    }

    /// Signals that a thinking job has ended.
    pub(in crate::think) fn signal_end(&self) {
        self.ended.send_replace(());
    }

    /// Receiver of the signals of ended jobs.
    pub(in crate::think) fn ends(&self) -> watch::Receiver<()> {
        self.ended.subscribe()
    }
}

/// Settings without an owner, which are in use once its erasure is committed.
pub(crate) struct WithoutOwner<'a> {
    switch: &'a Switch,
    /// The profiles that are left, if the owner has one of its own.
    profiles: Option<Profiles>,
    _one_writer: MutexGuard<'a, ()>,
}

impl WithoutOwner<'_> {
    /// Settings of the store to write with the erasure.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        self.profiles.iter().map(|profiles| (SETTING.to_owned(), encoded(profiles))).collect()
    }

    /// Uses them: the erasure is committed.
    pub(crate) fn use_now(self) {
        if let Some(profiles) = self.profiles {
            *self.switch.profiles.write() = profiles;
        }
    }
}

/// Value of the setting.
fn encoded(profiles: &Profiles) -> String {
    let mut entries: Vec<Entry> = profiles
        .iter()
        .map(|((tenant, owner), profile)| Entry {
            tenant: tenant.0,
            owner_kind: owner.kind.as_str().to_owned(),
            owner_id: owner.id.to_string(),
            profile: profile.as_str().to_owned(),
        })
        .collect();
    entries
        .sort_by(|a, b| (a.tenant, &a.owner_kind, &a.owner_id).cmp(&(b.tenant, &b.owner_kind, &b.owner_id)));
    serde_json::json!(entries).to_string()
}
