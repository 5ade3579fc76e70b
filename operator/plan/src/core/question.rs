//! What a plan asks of the outside, and what the outside last answered.
//!
//! A plan cannot ask anyone. It names what it wants to know in [`crate::Plan::questions`] and reads in
//! [`crate::World::answers`] what is known already. The runtime asks, and plans the root again when an answer changes.
//! A question that the next plan of the same root leaves out is dropped, and its answer is forgotten in time.
//!
//! A new kind of question is a query and an answer here, with its variant of [`Question`], its table in [`Answers`] and
//! its [`Ask`]; the step of a plan that asks it; and what answers it, see `runtime/src/answer/mod.rs`.

use std::sync::Arc;

use jiff::Timestamp;

use crate::core::kind::ObjectKey;
use crate::core::shared_set::{Find, SharedSet};

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
    fn table(answers: &Answers) -> &Table<Self>;
    /// The same, to change them.
    fn table_mut(answers: &mut Answers) -> &mut Table<Self>;
}

impl Ask for ImageQuery {
    type Answer = ImageAnswer;

    fn of(question: &Question) -> Option<&Self> {
        match question {
            Question::Image(query) => Some(query),
            Question::Alarm(_) => None,
        }
    }

    fn table(answers: &Answers) -> &Table<Self> {
        &answers.images
    }

    fn table_mut(answers: &mut Answers) -> &mut Table<Self> {
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

    fn table(answers: &Answers) -> &Table<Self> {
        &answers.alarms
    }

    fn table_mut(answers: &mut Answers) -> &mut Table<Self> {
        &mut answers.alarms
    }
}

/// Queries with their last answers, sorted by query.
pub type Table<Q> = SharedSet<Arc<(Q, <Q as Ask>::Answer)>>;

/// What the outside last answered to each question. A copy costs two pointers.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    images: Table<ImageQuery>,
    alarms: Table<AlarmQuery>,
}

impl Answers {
    /// The last answer; `None` before the first one.
    #[must_use]
    pub fn get<Q: Ask>(&self, query: &Q) -> Option<&Q::Answer> {
        Q::table(self).get(by(query)).map(|known| &known.1)
    }

    /// Takes in an answer. Returns whether it differs from the last one.
    pub fn put<Q: Ask>(&mut self, query: Q, answer: Q::Answer) -> bool {
        let is_news = self.get(&query) != Some(&answer);
        if is_news {
            let entry = Arc::new((query, answer));
            Q::table_mut(self).insert(Arc::clone(&entry), by(&entry.0));
        }
        is_news
    }

    /// Forgets the answer to a question.
    pub fn forget<Q: Ask>(&mut self, query: &Q) {
        Q::table_mut(self).remove(by(query));
    }
}

fn by<Q: Ask>(query: &Q) -> impl Find<Arc<(Q, Q::Answer)>> {
    move |known: &Arc<(Q, Q::Answer)>| known.0.cmp(query)
}
