//! `/users/delta` and `/groups/delta`: options, tokens and links around the rounds of [`crate::delta`].

use super::Call;
use super::query::{Place, Type, filter, select};
use crate::delta::{Paging, begin, page};
use crate::faults::Form;
use crate::properties::{GROUP_DEFAULT, GroupProp, USER_DEFAULT, UserProp};
use crate::reply::{Fault, Reply};
use crate::tenant::Object;
use crate::token::Round;

/// Delta tokens of directory objects live seven days.
const TOKEN_HOURS: u64 = 7 * 24;

/// Most ids a `$filter` of a first call may name.
const MAX_IDS: usize = 50;

impl Call<'_> {
    pub(super) fn delta(&self, users: bool) -> Result<Reply, Fault> {
        self.query.only(&["$select", "$filter", "$deltatoken", "$skiptoken"])?;
        let state = self.tenant.read();
        let token = self.query.get("$skiptoken").or_else(|| self.query.get("$deltatoken")).filter(|t| !t.is_empty());
        let mut latest = false;
        let round = match token {
            Some(t) if t != "latest" => {
                if self.query.get("$select").is_some() || self.query.get("$filter").is_some() {
                    return Err(Fault::unsupported(
                        "Query options other than the token cannot be given with a token: it carries those of the first request.",
                    ));
                }
                let round = Round::open(self.tenant.key, t)
                    .filter(|r| r.users == users)
                    .ok_or_else(|| Fault::bad_request("Badly formed token."))?;
                if let Some(form) = self.expired {
                    return Err(self.resync(form, users));
                }
                if self.sim.clock.age_hours().saturating_sub(round.hours) > TOKEN_HOURS {
                    return Err(self.resync(Form::DeltaLinkOlder, users));
                }
                if round.since > state.log.len() as u64 {
                    return Err(self.resync(Form::SyncStateNotFound, users));
                }
                if round.delta_link {
                    begin(self.tenant, &state, self.now, &round, self.ask.minimal, self.sim.oddities())
                } else {
                    round
                }
            }
            other => {
                latest = other.is_some();
                let until = state.visible(self.now);
                Round {
                    users,
                    initial: true,
                    select: self.delta_select(users)?,
                    ids: self.delta_ids(&state, users)?,
                    until,
                    ..Round::default()
                }
            }
        };
        let what = if users { "users" } else { "groups" };
        let mut out = self.context(what, false);
        out.extend_from_slice(b",\"value\":[");
        let mut next = if latest {
            Round { delta_link: true, initial: false, since: round.until, until: 0, ..round }
        } else {
            let paging =
                Paging { size: u64::from(self.sim.options.page_size), oddities: self.sim.oddities(), empty: self.empty_page };
            page(self.tenant, &state, &round, paging, &mut out)
        };
        next.hours = self.sim.clock.age_hours();
        let (link, parameter) = if next.delta_link { ("deltaLink", "deltatoken") } else { ("nextLink", "skiptoken") };
        let token = next.seal(self.tenant.key);
        out.extend_from_slice(
            format!("],\"@odata.{link}\":\"{}/v1.0/{what}/delta?${parameter}={token}\"}}", self.sim.origin()).as_bytes(),
        );
        Ok(Reply::json(200, out))
    }

    fn delta_select(&self, users: bool) -> Result<u128, Fault> {
        let wanted = select(self.tenant, &self.query, if users { Type::User } else { Type::Group }, Place::Delta)?;
        if users && wanted.user & UserProp::SignInActivity.bit() != 0 {
            return Err(Fault::unsupported("The property 'signInActivity' is not supported in delta queries."));
        }
        Ok(match (wanted.explicit, users) {
            (true, true) => wanted.user,
            (true, false) => wanted.group,
            (false, true) => USER_DEFAULT | UserProp::Manager.bit(),
            (false, false) => GROUP_DEFAULT | GroupProp::Members.bit(),
        })
    }

    fn delta_ids(&self, state: &crate::tenant::State, users: bool) -> Result<Vec<u32>, Fault> {
        let Some(filter) = filter(&self.query, if users { Type::User } else { Type::Group })? else { return Ok(vec![]) };
        let ids = filter
            .ids()
            .ok_or_else(|| Fault::unsupported("Delta queries can only be filtered by id: id eq '…' or id eq '…'."))?;
        if ids.len() > MAX_IDS {
            return Err(Fault::unsupported(format!(
                "Too many filter clauses: at most {MAX_IDS} ids can be given in a delta query."
            )));
        }
        let known = ids.iter().filter_map(|id| self.tenant.object(state, crate::seed::parse_guid(id)?)).filter_map(|o| match o {
            Object::User(u) if users => Some(u),
            Object::Group(g) if !users => Some(g),
            _ => None,
        });
        let mut known: Vec<u32> = known.collect();
        known.sort_unstable();
        known.dedup();
        // A filter that names nobody must not become "everybody".
        Ok(if known.is_empty() { vec![u32::MAX] } else { known })
    }

    fn resync(&self, form: Form, users: bool) -> Fault {
        let what = if users { "users" } else { "groups" };
        match form {
            Form::Gone => Fault::new(410, "Gone", "The tenant has moved. Start again at the location given.")
                .with("location", format!("{}/v1.0/{what}/delta?$deltatoken=", self.sim.origin())),
            Form::SyncStateNotFound => Fault::new(
                400,
                "syncStateNotFound",
                "The sync state generation is not found. The delta token is expired and data must be synchronized again.",
            ),
            Form::ResyncRequired => Fault::new(
                410,
                "resyncRequired",
                "Resync required. Replace any local items with the server's version (including deletes).",
            ),
            Form::DeltaLinkOlder => Fault::unsupported("DeltaLink older than 30 days is not supported."),
        }
    }
}
