//! Switch of thinking: the settings of the engine, and the owners with a profile of their own.
//!
//! A write of turns reads the profile of its owner without a query.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::change::ChangeSet;
use crate::domain::id::{JobId, MemoryId, TenantId};
use crate::domain::scope::Owner;
use crate::scope::{OwnerSettings, OwnerValue};
use crate::store::{Store, StoreError};
use crate::think::calls::meter::Meter;
use crate::think::queue::request;
use crate::think::settings::{Profile, ThinkingSettings};

/// Settings and profiles, with the signal that a thinking job has ended.
#[derive(Debug)]
pub(crate) struct Switch {
    pub(in crate::think) settings: ThinkingSettings,
    pub(in crate::think) meter: Meter,
    /// Profiles of owners with one of their own.
    pub(crate) profiles: OwnerSettings<Profile>,
    ended: watch::Sender<()>,
}

impl OwnerValue for Profile {
    const SETTING: &'static str = "thinking.profiles";
    const FIELD: &'static str = "profile";
    const LIMITED: &'static str = "the number of scopes with a thinking profile of their own";

    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Switch {
    /// Settings of the engine, with the profiles in the store.
    pub(crate) async fn load(settings: ThinkingSettings, store: &dyn Store) -> Result<Self, StoreError> {
        let profiles = OwnerSettings::load(store).await?;
        Ok(Self { settings, meter: Meter::default(), profiles, ended: watch::channel(()).0 })
    }

    /// Own profile of an owner.
    pub(in crate::think) fn own_profile(&self, tenant: TenantId, owner: &Owner) -> Option<Profile> {
        self.profiles.of(tenant, owner)
    }

    /// Profile in use for an owner.
    pub(in crate::think) fn profile(&self, tenant: TenantId, owner: &Owner) -> Profile {
        self.own_profile(tenant, owner).unwrap_or(self.settings.profile)
    }

    /// Sets or removes the own profile of an owner. False, and nothing is changed, if too many owners have one.
    pub(in crate::think) async fn set_profile(
        &self,
        store: &Arc<dyn Store>,
        owner: (TenantId, Owner),
        profile: Option<Profile>,
    ) -> Result<bool, StoreError> {
        self.profiles.set(store, owner, profile).await
    }

    /// Adds to a set of new turns the requests to think about them, one for each mechanism of the owner's profile that can.
    /// True if one was added.
    pub(crate) fn request(&self, set: &mut ChangeSet, mut next_id: impl FnMut() -> JobId) -> bool {
        let profile = self.profile(set.tenant, &set.owner);
        let queues = request::queues_of(&self.settings, profile);
        request::request(set, &queues, &mut next_id);
        self.ask_digests(set, next_id);
        !queues.is_empty()
    }

    /// Adds to a set the request to describe the notes of these turns anew, if the owner's profile makes notes.
    pub(crate) fn request_notes(
        &self,
        set: &mut ChangeSet,
        turns: Vec<MemoryId>,
        next_id: impl FnOnce() -> JobId,
    ) {
        let queues = request::queues_of(&self.settings, self.profile(set.tenant, &set.owner));
        let queue = queues.into_iter().find(|queue| [request::NOTES, request::AMEM_PAPER].contains(queue));
        if let Some(queue) = queue.filter(|_| !turns.is_empty()) {
            request::request_again(set, queue, turns, next_id());
        }
    }

    /// Adds to a set the request for the digests of the sessions that it closes, fills or takes turns from, if the owner's
    /// profile makes digests.
    pub(crate) fn ask_digests(&self, set: &mut ChangeSet, mut next_id: impl FnMut() -> JobId) {
        if self.makes_digests(set.tenant, &set.owner) {
            request::ask_digests(set, self.settings.working_memory_turns, next_id());
        }
    }

    /// True if digests are made for an owner.
    pub(crate) fn makes_digests(&self, tenant: TenantId, owner: &Owner) -> bool {
        self.settings.makes_digests && self.profile(tenant, owner) == Profile::Default
    }

    /// Queues that every restored turn enters, so that the digests of its day cover it.
    pub(crate) fn queues_of_days(&self, set: &ChangeSet) -> Vec<&'static str> {
        if self.makes_digests(set.tenant, &set.owner) { vec![request::DIGESTS] } else { Vec::new() }
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
