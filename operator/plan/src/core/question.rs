//! What a plan asks of the outside, and what the outside last answered.
//!
//! A plan cannot ask anyone. It names what it wants to know in [`crate::Plan::questions`] and reads in
//! [`crate::World::answers`] what is known already. The runtime asks, and plans the root again when an answer changes.
//! A question that the next plan of the same root leaves out is dropped, and its answer is forgotten in time.
//!
//! A new kind of question is a query and an answer here, with its variant of [`Question`], its table in [`Answers`] and
//! its [`Ask`]; the step of a plan that asks it; and what answers it, see `runtime/src/answer/mod.rs`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::core::kind::ObjectKey;

/// One question of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// What is the digest of this image now?
    Image(ImageQuery),
    /// What is the state of this alarm?
    Alarm(AlarmQuery),
}

impl From<ImageQuery> for Question {
    fn from(query: ImageQuery) -> Self {
        Self::Image(query)
    }
}

impl From<AlarmQuery> for Question {
    fn from(query: AlarmQuery) -> Self {
        Self::Alarm(query)
    }
}

/// A question to a registry: what is the digest of this image now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageQuery {
    /// The service that is about to start a deployment.
    pub root: ObjectKey,
    /// Id of the deployment that would be started. Another deployment, a forced one too, is another question.
    pub deployment: String,
    /// The image as the container definition writes it.
    pub image: String,
    /// Names of the Secrets in the service's namespace that the pods pull with.
    pub pull_secrets: Vec<String>,
}

/// What a registry answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageAnswer {
    /// The digest of what the tag names: of the index where there is one, so that nodes of every platform find theirs.
    Digest(String),
    /// The registry could not be asked, or did not answer, for this reason.
    Unresolved(String),
}

/// A question to the source of alarms: what is the state of this alarm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmQuery {
    /// The service whose deployment is watched. An alert with a `namespace` label counts for services there only.
    pub root: ObjectKey,
    /// Name of the alarm; see [`ecs::deployment::alarm::name`].
    pub name: String,
}

/// What the source of alarms answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// Not in ALARM.
    Ok,
    /// In ALARM.
    Alarm {
        /// Since when: the earliest, if the alarm stands for several things.
        since: Timestamp,
    },
    /// The source could not be asked, or did not answer, for this reason.
    Unknown(String),
}

/// Pairs a query with the type of its answer, so that an answer of another kind does not compile.
pub trait Ask: Clone + Ord + Into<Question> + 'static {
    /// What the outside answers.
    type Answer: Clone + PartialEq;

    /// The query, if the question is of this kind.
    fn of(question: &Question) -> Option<&Self>;
    /// Answers to queries of this kind.
    fn table(answers: &Answers) -> &BTreeMap<Self, Self::Answer>;
    /// The same, to change them.
    fn table_mut(answers: &mut Answers) -> &mut BTreeMap<Self, Self::Answer>;
}

impl Ask for ImageQuery {
    type Answer = ImageAnswer;

    fn of(question: &Question) -> Option<&Self> {
        match question {
            Question::Image(query) => Some(query),
            Question::Alarm(_) => None,
        }
    }

    fn table(answers: &Answers) -> &BTreeMap<Self, ImageAnswer> {
        &answers.images
    }

    fn table_mut(answers: &mut Answers) -> &mut BTreeMap<Self, ImageAnswer> {
        &mut answers.images
    }
}

impl Ask for AlarmQuery {
    type Answer = AlarmState;

    fn of(question: &Question) -> Option<&Self> {
        match question {
            Question::Alarm(query) => Some(query),
            Question::Image(_) => None,
        }
    }

    fn table(answers: &Answers) -> &BTreeMap<Self, AlarmState> {
        &answers.alarms
    }

    fn table_mut(answers: &mut Answers) -> &mut BTreeMap<Self, AlarmState> {
        &mut answers.alarms
    }
}

/// What the outside last answered to each question.
#[derive(Debug, Default)]
pub struct Answers {
    images: BTreeMap<ImageQuery, ImageAnswer>,
    alarms: BTreeMap<AlarmQuery, AlarmState>,
}

impl Answers {
    /// The last answer; `None` before the first one.
    #[must_use]
    pub fn get<Q: Ask>(&self, query: &Q) -> Option<&Q::Answer> {
        Q::table(self).get(query)
    }

    /// Takes in an answer. Returns whether it differs from the last one.
    pub fn put<Q: Ask>(&mut self, query: Q, answer: Q::Answer) -> bool {
        let table = Q::table_mut(self);
        let is_news = table.get(&query) != Some(&answer);
        if is_news {
            table.insert(query, answer);
        }
        is_news
    }

    /// Forgets the answer to a question.
    pub fn forget<Q: Ask>(&mut self, query: &Q) {
        Q::table_mut(self).remove(query);
    }
}
