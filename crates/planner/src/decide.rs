//! The planner itself: what is compiled once for a run, and the way of one user through it.

use crate::Claims;
use model::facts::{Answers, Questions, TenantFacts, UserFacts};
use model::plan::Decision;
use model::policy::Policy;

/// A policy made ready for one tenant and one run.
#[derive(Debug)]
pub struct Planner {
    policy: Policy,
    digest: String,
    tenant: TenantFacts,
}

impl Planner {
    /// Makes a policy ready: resolves the groups its rules name, and how they can be reached.
    #[must_use]
    pub fn new(policy: &Policy, digest: &str, tenant: TenantFacts) -> Self {
        Self { policy: policy.clone(), digest: digest.to_owned(), tenant }
    }

    /// The policy's digest.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What must be known to decide these users.
    #[must_use]
    pub fn questions(&self, users: &[UserFacts]) -> Questions {
        let _ = (users, &self.tenant, &self.policy);
        Questions::default()
    }

    /// Decides these users, each exactly once.
    pub fn decide(&self, users: &[UserFacts], answers: &Answers, claims: &mut Claims) -> Vec<Decision> {
        let _ = (users, answers, claims);
        Vec::new()
    }
}
