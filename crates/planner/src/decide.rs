//! The planner itself: what is compiled once for a run, and the way of one user through scope and rules to one of two doors, for
//! users who have a record and for users who have none.

use crate::boards::Boards;
use crate::claims::{Claims, Readdressed};
use crate::groups::{Known, MemberOf, Reach};
use crate::keys::{self, Asked, MatchKeys};
use crate::lifecycle;
use crate::managers::Manager;
use crate::matching;
use crate::merge::Mappings;
use crate::roles::Roles;
use crate::rules::{Chosen, Rules, Won};
use crate::scope::{self, ScopeCheck};
use crate::source::Fault;
use crate::username;
use model::address::AddressKey;
use model::attributes::Hash;
use model::directory::Presence;
use model::facts::{Answers, Choice, Linked, Questions, TenantFacts, UserFacts};
use model::plan::{Change, Decision, LinkState, Outcome, Report, ReportWhy, ReviewItem, Standing, Wait};
use model::policy::{GroupRef, PerKind, Policy, Rule};
use model::reason::{Cause, Reason, ReviewWhy};
use model::records::{Deactivated, Person};
use model::run::RunKind;
use model::{Field, Fields, GroupKey, Kind, RuleId, SourceId, Status, text};
use std::borrow::Cow;

/// A policy made ready for one tenant and one run.
#[derive(Debug)]
pub struct Planner {
    pub(crate) policy: Policy,
    digest: String,
    pub(crate) tenant: TenantFacts,
    pub(crate) rules: Rules,
    pub(crate) roles: Roles,
    pub(crate) boards: Boards,
    pub(crate) scope: ScopeCheck,
    pub(crate) mappings: PerKind<Mappings>,
    pub(crate) match_keys: PerKind<MatchKeys>,
}

/// A rule's groups as the mirror holds them: what is compared with the last applied run to see what was lost (ruling 83).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedGroup {
    /// The rule.
    pub rule: RuleId,
    /// The id or the name, as the rule says it.
    pub reference: String,
    /// The groups it means; none when the mirror holds no such group.
    pub groups: Vec<GroupKey>,
}

/// Some users, with what scope and rules say of each.
pub struct Batch<'b> {
    pub(crate) planner: &'b Planner,
    pub(crate) users: &'b [UserFacts],
    selections: Vec<Selection<'b>>,
}

impl<'b> Batch<'b> {
    /// The users who are in the directory and whom a rule selects.
    pub(crate) fn selected(&self) -> impl Iterator<Item = (&'b UserFacts, &Won<'b>)> {
        self.users.iter().zip(&self.selections).filter(|(user, _)| !is_gone(user)).filter_map(|(user, selection)| match selection
        {
            Selection::Rule(won) => Some((user, won)),
            Selection::Excluded(_) | Selection::Fault(_) => None,
        })
    }

    /// What must be known to decide these users.
    #[must_use]
    pub fn questions(&self) -> Questions {
        let mut asked = Asked::default();
        for (user, won) in self.selected() {
            self.planner.ask(user, won, &mut asked);
        }
        asked.into()
    }

    /// Decides these users, each exactly once.
    pub fn decide(&self, answers: &Answers, claims: &mut Claims) -> Vec<Decision> {
        let decide = |(user, selection): (&UserFacts, &Selection<'b>)| {
            let mut decision = self.planner.decide_one(user, selection, answers, claims);
            if decision.review.is_some() {
                claims.block(decision.user, &decision.source_id, &decision.waits);
            }
            self.planner.note(user, &mut decision, answers, claims);
            decision
        };
        self.users.iter().zip(&self.selections).map(decide).collect()
    }
}

/// What scope and rules say of a user.
pub(crate) enum Selection<'a> {
    Rule(Won<'a>),
    Excluded(Cow<'a, str>),
    /// A filter cannot be computed for this user, who is left as they are (ruling 38).
    Fault(Fault),
}

impl Selection<'_> {
    pub(crate) fn rule(&self) -> Option<&Rule> {
        match self {
            Selection::Rule(won) => Some(&won.compiled.rule),
            Selection::Excluded(_) | Selection::Fault(_) => None,
        }
    }
}

/// The name of users whom no rule selects (ruling 113).
const NO_RULE: &str = "no rule";

impl Planner {
    /// Makes a policy ready: resolves the groups, clients and sites its rules name, and how groups can be reached. `digest` is the
    /// policy's, kept for the plan's hash.
    #[must_use]
    pub fn new(policy: &Policy, digest: &str, tenant: TenantFacts) -> Self {
        let known = Known::new(&tenant);
        let (roles, boards) = (Roles::new(policy, &known), Boards::new(policy, &known));
        let more: Vec<GroupKey> = roles.groups().chain(boards.groups()).collect();
        Self {
            rules: Rules::new(policy, &tenant, known, more),
            roles,
            boards,
            scope: ScopeCheck::new(policy, &tenant),
            mappings: PerKind { agent: Mappings::new(policy, Kind::Agent), contact: Mappings::new(policy, Kind::Contact) },
            match_keys: PerKind {
                agent: MatchKeys::new(policy, Kind::Agent, &tenant.domain),
                contact: MatchKeys::new(policy, Kind::Contact, &tenant.domain),
            },
            policy: policy.clone(),
            digest: digest.to_owned(),
            tenant,
        }
    }

    /// The policy's digest.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The groups a membership in which can matter to a rule: those that rules name, and those nested below them.
    pub fn relevant_groups(&self) -> impl Iterator<Item = GroupKey> {
        self.reach().all()
    }

    /// Whether a membership in this group can matter to a rule.
    #[must_use]
    pub fn is_relevant(&self, group: GroupKey) -> bool {
        self.reach().relevant(group)
    }

    /// The client whose records a rule makes, of one kind; none where it leads nowhere, or to no client.
    #[must_use]
    pub fn client_of(&self, rule: &RuleId, kind: Kind) -> Option<model::ClientId> {
        self.rules.find(rule)?.place(kind).ok()?.client
    }

    fn reach(&self) -> &Reach {
        self.rules.reach()
    }

    /// The groups whose members count as a named group's: itself, and those nested below it. A group that has lost its people through
    /// one of those has lost them as well (ruling 83).
    pub fn counted_in(&self, named: GroupKey) -> impl Iterator<Item = GroupKey> {
        self.reach().below(named)
    }

    /// The groups that enabled rules and role mappings name, each with what the mirror holds of it.
    #[must_use]
    pub fn named_groups(&self) -> Vec<NamedGroup> {
        let find = |keys: &[GroupKey], meets: &dyn Fn(&model::facts::GroupFacts) -> bool| {
            let facts = self.tenant.groups.iter().filter(|g| keys.contains(&g.key) && meets(g));
            facts.map(|g| g.key).collect::<Vec<_>>()
        };
        let mut named = Vec::new();
        for (rule, by_id, by_name) in self.rules.named() {
            for id in rule.when.groups.iter().flatten() {
                let groups = find(by_id, &|g| g.id == *id);
                named.push(NamedGroup { rule: rule.id.clone(), reference: id.to_string(), groups });
            }
            for name in rule.when.group_names.iter().flatten() {
                let groups = find(by_name, &|g| text::nfc(&g.name) == text::nfc(name));
                named.push(NamedGroup { rule: rule.id.clone(), reference: name.clone(), groups });
            }
        }
        for (mapping, groups) in self.roles.named() {
            let reference = match &mapping.group {
                GroupRef::Id(id) => id.to_string(),
                GroupRef::Name(name) => name.clone(),
            };
            let rule = RuleId::new(format!("role_mappings/{}", mapping.id));
            named.push(NamedGroup { rule, reference, groups: groups.to_vec() });
        }
        named
    }

    /// The record's fields, beside addresses and usernames, that users are matched by: what [`Questions::keys`] asks for.
    #[must_use]
    pub fn key_fields(&self) -> Vec<Field> {
        let mut fields: Vec<Field> = self.match_keys.agent.fields().chain(self.match_keys.contact.fields()).collect();
        fields.sort();
        fields.dedup();
        fields
    }

    /// Looks at these users: what scope and rules say of each is found once, for what is asked about them and for what is decided.
    #[must_use]
    pub fn batch<'b>(&'b self, users: &'b [UserFacts]) -> Batch<'b> {
        let select = |user| {
            let mut selection = self.select(user);
            if let Selection::Rule(won) = &mut selection
                && !is_gone(user)
            {
                self.look_for(user, won);
            }
            selection
        };
        Batch { planner: self, users, selections: users.iter().map(select).collect() }
    }

    /// Notes what a user's records are looked for by, for as many as the rule wants and the user does not have.
    fn look_for<'b>(&'b self, user: &'b UserFacts, won: &mut Won<'b>) {
        for kind in won.compiled.rule.then.kind.kinds() {
            if !live(user).any(|l| l.person.kind == *kind) {
                *won.probes.of_mut(*kind) = self.match_keys.of(*kind).probes(user);
            }
        }
    }

    /// What must be known to decide these users.
    #[must_use]
    pub fn questions(&self, users: &[UserFacts]) -> Questions {
        self.batch(users).questions()
    }

    /// Decides these users, each exactly once.
    pub fn decide(&self, users: &[UserFacts], answers: &Answers, claims: &mut Claims) -> Vec<Decision> {
        self.batch(users).decide(answers, claims)
    }

    /// What must be known to decide a user.
    fn ask(&self, user: &UserFacts, won: &Won<'_>, asked: &mut Asked) {
        for resolution in &user.resolutions {
            if let Choice::Link(record) = resolution.choice {
                asked.others.records.insert(record);
            }
        }
        for kind in won.compiled.rule.then.kind.kinds() {
            let linked = live(user).find(|l| l.person.kind == *kind);
            if linked.is_none() {
                keys::ask(won.probes.of(*kind).as_deref().unwrap_or_default(), asked);
                asked.usernames.extend(Self::former_names(user, *kind).map(|name| text::fold(&name)));
                if user.review.as_ref().is_some_and(|item| item.why == ReviewWhy::DuplicateInSource) {
                    // Whether the other user still has the address that both would have, be it a matching key or not.
                    let email = self.mappings.of(*kind).email(user);
                    asked.addresses.extend(email.as_deref().and_then(AddressKey::of));
                }
            }
            asked.others.sites.extend(Self::asked_site(user, won, *kind));
            if self.mappings.of(*kind).maps_manager() {
                asked.others.users.extend(user.manager.clone());
            }
            self.ask_name(user, won, *kind, linked, asked);
        }
        // A record of the other kind that stays beside them is brought up to date as well (ruling 74).
        for linked in live(user).filter(|l| !won.compiled.rule.then.kind.kinds().contains(&l.person.kind)) {
            if self.mappings.of(linked.person.kind).maps_manager() {
                asked.others.users.extend(user.manager.clone());
            }
            self.ask_name(user, won, linked.person.kind, Some(linked), asked);
        }
    }

    /// Who has the usernames that a user's record of a kind could have.
    fn ask_name(&self, user: &UserFacts, won: &Won<'_>, kind: Kind, linked: Option<&Linked>, asked: &mut Asked) {
        let Some(plan) = self.mappings.of(kind).username() else { return };
        let has = linked.and_then(|l| l.person.username.as_deref());
        if has.is_some_and(|has| plan.is(user, has)) {
            return;
        }
        let choices = username::choices(plan, user, &won.compiled.rule, self.policy.username_on_collision);
        let choices = choices.unwrap_or_default();
        if choices.first().map(String::as_str) != has {
            asked.usernames.extend(choices.iter().map(|c| text::fold(c)));
        }
    }

    /// The bookkeeping of a record that counts as applied with what Entra holds of its user now, so that every difference is a local
    /// edit (ruling 14): for records that come into the house linked already.
    #[must_use]
    pub fn adopt(&self, user: &UserFacts, person: &Person, deactivated_by_sync: bool, answers: &Answers) -> LinkState {
        let selection = self.select(user);
        let kind = person.kind;
        // Nothing is made along with it: a manager has a record by now, or none.
        let mut claims = Claims::default();
        claims.everyone_decided();
        let mut state = match &selection {
            Selection::Rule(won) if won.compiled.rule.then.kind.kinds().contains(&kind) => {
                let standing = self.standing(user, won, kind, answers, &claims);
                standing.map_or_else(|_| LinkState::default(), |standing| self.booking(user, kind, &standing))
            }
            _ => LinkState::default(),
        };
        let enabled = scope::is_enabled(user);
        state.applied_hash = Some(user.change_hash);
        state.policy_digest = Some(self.mappings.of(kind).stamp().to_owned());
        state.enabled_applied = Some(enabled);
        let out = person.status != Status::Active || !person.access;
        let acts = !enabled && lifecycle::disabled_deactivates(self.policy.lifecycle.of(kind));
        if out {
            let cause = causes(user, &selection).into_iter().max();
            state.deactivated_by = Some(Deactivated { by_sync: deactivated_by_sync, cause });
        } else if acts && !is_gone(user) {
            state.deactivated_by = Some(Deactivated { by_sync: false, cause: Some(Cause::Disabled) });
        }
        state
    }

    /// Notes what others may look for: sites and records that are made. And whom this user looks for: the manager, who is asked for
    /// once more when they turn out to have a record after all (ruling 11).
    fn note(&self, user: &UserFacts, decision: &mut Decision, answers: &Answers, claims: &mut Claims) {
        for site in decision.changes.iter().filter_map(|c| c.new_site.as_ref()) {
            claims.make_site(site.client, &site.name, user.key, &user.id);
        }
        decision.changes.iter().for_each(|change| self.note_keys(user, change, claims));
        if !self.mappings.agent.maps_manager() && !self.mappings.contact.maps_manager() {
            return;
        }
        // Asked first: what this very decision makes was not known when it was made.
        self.note_manager(user, decision, answers, claims);
        claims.note_records(&user.id, &decision.changes);
    }

    fn note_manager(&self, user: &UserFacts, decision: &mut Decision, answers: &Answers, claims: &mut Claims) {
        let Some(manager) = &user.manager else { return };
        let rule = self.policy.rules.iter().find(|rule| decision.standing.rule.as_ref() == Some(&rule.id));
        let maps = rule.is_some_and(|r| r.then.kind.kinds().iter().any(|kind| self.mappings.of(*kind).maps_manager()));
        // Who only waits for a username has everything else written (ruling 53), be it that nothing is due but for the manager.
        let is_about_name =
            |item: &ReviewItem| item.why == ReviewWhy::UsernameTaken && live(user).any(|linked| linked.person.kind == item.kind);
        let is_written =
            !decision.changes.is_empty() || !decision.bookings.is_empty() || decision.review.as_ref().is_some_and(is_about_name);
        if !maps || (decision.standing.outcome != Outcome::Synced && !is_written) {
            return claims.forget_manager(user.key, manager);
        }
        let told = answers.users.get(manager).map(Vec::as_slice).unwrap_or_default();
        if claims.ask_manager(user.key, &user.id, manager, told) == Manager::Unresolved {
            decision.waits.push(Wait::User(manager.clone()));
            decision.reports.push(Report {
                user: user.key,
                source_id: user.id.clone(),
                field: Some(Field::MANAGER),
                why: ReportWhy::UnresolvedManager,
                detail: "manager: the manager has no record yet, so the field stays empty until they have.".to_owned(),
            });
        }
    }

    /// Tells the claims which values of matching keys a record gives up and takes, as it is told of addresses (ruling 55).
    fn note_keys(&self, user: &UserFacts, change: &Change, claims: &mut Claims) {
        let Some(person) = change.record else { return };
        let kind = change.kind;
        for field in self.match_keys.of(kind).fields().filter(|field| change.set.contains_key(field)) {
            let of = |fields: &Fields| fields.get(&field).map(|value| keys::hashes(&field, value)).unwrap_or_default();
            let (released, taken) = (of(&change.before), of(&change.set));
            claims.readdress(user.key, &user.id, Readdressed { person, kind, client: None, released, taken });
        }
    }

    /// A decision for a user for whom the policy cannot be computed: nothing is done, and that is said (ruling 38).
    pub(crate) fn left_as_is(user: &UserFacts, fault: &Fault) -> Decision {
        let mut decision = Decision::plain(user, Standing { outcome: Outcome::Failed, excluded_by: None, rule: None });
        decision.reports.push(Report {
            user: user.key,
            source_id: user.id.clone(),
            field: None,
            why: ReportWhy::Error,
            detail: fault.detail.clone(),
        });
        decision
    }

    fn decide_one(&self, user: &UserFacts, selection: &Selection<'_>, answers: &Answers, claims: &mut Claims) -> Decision {
        if live(user).next().is_some() {
            return self.linked(user, selection, answers, claims);
        }
        if is_gone(user) {
            return Decision::plain(user, Standing { outcome: Outcome::Gone, excluded_by: None, rule: None });
        }
        self.unlinked(user, selection, answers, claims)
    }

    /// Scope and rules. What excludes a user has the first name in the order of ruling 113.
    pub(crate) fn select(&self, user: &UserFacts) -> Selection<'_> {
        self.select_as(user, live(user).next().is_some())
    }

    /// The same where it is known otherwise whether the user has a record.
    pub(crate) fn select_as(&self, user: &UserFacts, linked: bool) -> Selection<'_> {
        match self.scope.excluded_by(user) {
            Ok(None) => {}
            Ok(Some(name)) => return Selection::Excluded(name),
            Err(fault) => return Selection::Fault(fault),
        }
        let disabled = !linked && !scope::is_enabled(user) && !self.scope.creates_disabled();
        let chosen = match self.rules.choose(user, scope::is_guest(&user.attributes)) {
            Ok(chosen) => chosen,
            // Whatever rules would say, nothing is done of them, and they are counted under what comes first (rulings 32 and 113).
            Err(_) if disabled => return Selection::Excluded(Cow::Borrowed("disabled")),
            Err(fault) => return Selection::Fault(fault),
        };
        match chosen {
            Chosen::GuestsExcluded => Selection::Excluded(Cow::Borrowed("guests")),
            _ if disabled => Selection::Excluded(Cow::Borrowed("disabled")),
            Chosen::Won(won) => Selection::Rule(won),
            Chosen::NoRule => Selection::Excluded(Cow::Borrowed(NO_RULE)),
        }
    }

    /// Why scope and rules put a user where they are: what comes before the reasons of their decision. Nothing is said of who is gone.
    #[must_use]
    pub fn standing_of(&self, user: &UserFacts) -> Vec<Reason> {
        self.why(user, &self.select(user))
    }

    /// The same of who was looked at already. Nearly everybody is unchanged, and of them nobody asks.
    pub(crate) fn why(&self, user: &UserFacts, selection: &Selection<'_>) -> Vec<Reason> {
        // Room for what is said of a record.
        let mut reasons = Vec::with_capacity(4);
        if is_gone(user) {
            return reasons;
        }
        match selection {
            Selection::Excluded(by) if by == NO_RULE => reasons.push(Reason::NoRule),
            Selection::Excluded(by) => reasons.push(Reason::OutOfScope { by: by.clone().into_owned() }),
            Selection::Fault(fault) => reasons.push(Reason::Unevaluable { detail: fault.detail.clone() }),
            Selection::Rule(won) => {
                self.scope.explain(&mut reasons);
                self.rules.explain(won, &mut reasons);
            }
        }
        reasons
    }

    /// What a removal of this user is decided from beside their attributes' change hash, their presence, their records and the policy:
    /// while none of it changes, a rejection of the removal stands (ruling 111). The groups the policy names count, however they are
    /// reached, and no others.
    #[must_use]
    pub fn grounds(&self, user: &UserFacts) -> Hash {
        let mut member_of = MemberOf::new();
        for group in &user.groups {
            self.reach().collect(*group, &mut member_of);
        }
        let mut groups: Vec<GroupKey> = member_of.into_iter().map(|(named, _)| named).collect();
        groups.sort_unstable();
        let licensed = self.scope.licensed(&user.attributes);
        Hash::of(&format!("{groups:?} {licensed:?} {} {}", user.assigned, user.manager.is_some()))
    }

    /// Plans as if nobody had rejected anything: one of the rejected users' grounds has changed.
    pub fn spare_nobody(&mut self) {
        self.tenant.spared.clear();
    }

    /// Whether removals may follow: never from an incomplete read, and not where a person has rejected them (ruling 111).
    pub(crate) fn may_remove(&self, user: &UserFacts) -> bool {
        self.tenant.run != RunKind::Incomplete && !self.tenant.spared.contains(&user.key)
    }
}

/// What holds against a user, whatever the policy makes of it.
pub(crate) fn causes(user: &UserFacts, selection: &Selection<'_>) -> Vec<Cause> {
    match user.presence {
        Presence::Deleted => vec![Cause::Deleted],
        Presence::Missing => vec![Cause::Missing],
        Presence::Present | Presence::Unseen => {
            let disabled = (!scope::is_enabled(user)).then_some(Cause::Disabled);
            let unmapped = selection.rule().is_none().then_some(Cause::Unmapped);
            disabled.into_iter().chain(unmapped).collect()
        }
    }
}

/// Gone from the directory, or never told of.
pub(crate) fn is_gone(user: &UserFacts) -> bool {
    user.presence != Presence::Present
}

/// The user's records in use or out of it; archived ones are nobody's.
pub(crate) fn live(user: &UserFacts) -> impl Iterator<Item = &Linked> {
    user.links.iter().filter(|l| l.person.status != Status::Archived)
}

/// Builds a review item. One that is open keeps its first `why` while the same user or record blocks (ruling 51).
pub(crate) fn review_item(user: &UserFacts, rule: Option<RuleId>, kind: Kind, unclear: matching::Unclear) -> ReviewItem {
    let matching::Unclear { mut why, mut candidates, other, evidence } = unclear;
    candidates.sort_unstable();
    candidates.dedup();
    if let Some(open) = user.review.as_ref().filter(|r| !r.dismissed && is_block(r.why) && is_block(why)) {
        let same_user = open.other.is_some() && open.other == other;
        let same_record = open.candidates.iter().any(|c| candidates.contains(c));
        if same_user || same_record {
            why = open.why;
        }
    }
    ReviewItem { user: user.key, source_id: user.id.clone(), why, rule, kind, candidates, evidence, other }
}

/// Items that say who or what is in the way of a match.
fn is_block(why: ReviewWhy) -> bool {
    !matches!(why, ReviewWhy::ClientUnresolved | ReviewWhy::Returned | ReviewWhy::NoMatch | ReviewWhy::KindChange)
}

/// Decisions as they begin: nobody touched, nothing asked.
pub(crate) trait Plain {
    /// A decision that only says where a user stands.
    fn plain(user: &UserFacts, standing: Standing) -> Self;
}

impl Plain for Decision {
    fn plain(user: &UserFacts, standing: Standing) -> Self {
        Decision {
            user: user.key,
            source_id: user.id.clone(),
            standing,
            reasons: Vec::new(),
            changes: Vec::new(),
            replaces: Vec::new(),
            bookings: Vec::new(),
            review: None,
            reports: Vec::new(),
            waits: Vec::new(),
        }
    }
}

/// Whom an unresolved item concerns: the rule's reference leads nowhere (ruling 40).
pub(crate) fn unresolved() -> matching::Unclear {
    matching::Unclear { why: ReviewWhy::ClientUnresolved, candidates: Vec::new(), other: None, evidence: Vec::new() }
}

/// The source id another user is known by, where a wait is for that user.
pub(crate) fn wait_for(other: Option<&SourceId>) -> Option<model::plan::Wait> {
    other.map(|id| model::plan::Wait::User(id.clone()))
}
