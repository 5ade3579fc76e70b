//! Reads a rule into a tree, by precedence climbing: `? :`, `||`, `&&`, relations, sums, products, unary, members.

use regex::Regex;

use super::CelError;
use super::token::{Token, tokens};

/// Operators with two sides. `and` and `or` are nodes of their own because they forgive errors on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Macros over a list or the keys of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

/// One part of a rule.
#[derive(Debug)]
pub(super) enum Node {
    Integer(i64),
    Double(f64),
    Text(String),
    Bool(bool),
    Null,
    Name(String),
    List(Vec<Node>),
    Member(Box<Node>, String),
    /// `a.?b`: nothing where `b` or what is before it is absent.
    OptionalMember(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    /// `has(a.b)`
    Has(Box<Node>, String),
    Not(Box<Node>),
    Negative(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Choose(Box<Node>, Box<Node>, Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    /// A function of one argument: `size(x)`, `int(x)`, `string(x)`, `type(x)`.
    Call(String, Box<Node>),
    /// A function of a value: `x.startsWith(y)`.
    Method(Box<Node>, String, Vec<Node>),
    /// `sets.intersects(a, b)`
    Intersects(Box<Node>, Box<Node>),
    /// `x.matches('pattern')`, compiled once.
    Matches(Box<Node>, Regex),
    /// `list.all(item, condition)`
    Each(Over, Box<Node>, String, Box<Node>),
}

impl Node {
    /// Whether `name` is used anywhere in the rule.
    pub(super) fn mentions(&self, name: &str) -> bool {
        let one = |node: &Self| node.mentions(name);
        match self {
            Self::Integer(_) | Self::Double(_) | Self::Text(_) | Self::Bool(_) | Self::Null => false,
            Self::Name(own) => own == name,
            Self::List(items) => items.iter().any(one),
            Self::Member(node, _)
            | Self::OptionalMember(node, _)
            | Self::Has(node, _)
            | Self::Not(node)
            | Self::Negative(node)
            | Self::Call(_, node)
            | Self::Matches(node, _) => one(node),
            Self::And(a, b)
            | Self::Or(a, b)
            | Self::Binary(_, a, b)
            | Self::Index(a, b)
            | Self::Each(_, a, _, b)
            | Self::Intersects(a, b) => one(a) || one(b),
            Self::Choose(a, b, c) => one(a) || one(b) || one(c),
            Self::Method(node, _, arguments) => one(node) || arguments.iter().any(one),
        }
    }
}

/// Functions of one argument.
const FUNCTIONS: &[&str] = &["size", "int", "double", "string", "type", "dyn"];

/// Functions of a value, with the number of their arguments.
const METHODS: &[(&str, usize)] = &[
    ("size", 0),
    ("startsWith", 1),
    ("endsWith", 1),
    ("contains", 1),
    ("lowerAscii", 0),
    ("upperAscii", 0),
    ("trim", 0),
    ("split", 1),
    ("indexOf", 1),
    ("substring", 1),
    ("substring", 2),
    ("orValue", 1),
    ("hasValue", 0),
];

pub(super) fn parse(text: &str) -> Result<Node, CelError> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len() };
    let node = parser.choice()?;
    if parser.next < parser.tokens.len() { Err(parser.error()) } else { Ok(node) }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
}

type Parsed = Result<Node, CelError>;

impl Parser {
    fn error(&self) -> CelError {
        CelError::Syntax(self.tokens.get(self.next).map_or(self.end, |(at, _)| *at))
    }

    fn take(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.next), Some((_, Token::Sign(next))) if *next == sign);
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), CelError> {
        if self.take(sign) { Ok(()) } else { Err(self.error()) }
    }

    fn name(&mut self) -> Result<String, CelError> {
        match self.tokens.get(self.next) {
            Some((_, Token::Name(name))) => {
                self.next += 1;
                Ok(name.clone())
            }
            _ => Err(self.error()),
        }
    }

    /// A member whose name is a reserved word of the language is written `__namespace__`.
    fn member_name(&mut self) -> Result<String, CelError> {
        let name = self.name()?;
        let escaped = name.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"));
        Ok(escaped.map_or(name.clone(), ToOwned::to_owned))
    }

    fn choice(&mut self) -> Parsed {
        let condition = self.or()?;
        if !self.take("?") {
            return Ok(condition);
        }
        let first = self.choice()?;
        self.expect(":")?;
        let second = self.choice()?;
        Ok(Node::Choose(Box::new(condition), Box::new(first), Box::new(second)))
    }

    fn or(&mut self) -> Parsed {
        let mut left = self.and()?;
        while self.take("||") {
            left = Node::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.relation()?;
        while self.take("&&") {
            left = Node::And(Box::new(left), Box::new(self.relation()?));
        }
        Ok(left)
    }

    fn relation(&mut self) -> Parsed {
        const RELATIONS: &[(&str, Operator)] = &[
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let mut left = self.sum()?;
        loop {
            let operator = if matches!(self.tokens.get(self.next), Some((_, Token::Name(name))) if name == "in") {
                self.next += 1;
                Operator::In
            } else if let Some((_, operator)) = RELATIONS.iter().find(|(sign, _)| self.take(sign)) {
                *operator
            } else {
                return Ok(left);
            };
            left = Node::Binary(operator, Box::new(left), Box::new(self.sum()?));
        }
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let operator = if self.take("+") {
                Operator::Add
            } else if self.take("-") {
                Operator::Subtract
            } else {
                return Ok(left);
            };
            left = Node::Binary(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.unary()?;
        loop {
            let operator = if self.take("*") {
                Operator::Multiply
            } else if self.take("/") {
                Operator::Divide
            } else if self.take("%") {
                Operator::Remainder
            } else {
                return Ok(left);
            };
            left = Node::Binary(operator, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed {
        if self.take("!") {
            Ok(Node::Not(Box::new(self.unary()?)))
        } else if self.take("-") {
            Ok(Node::Negative(Box::new(self.unary()?)))
        } else {
            self.members()
        }
    }

    fn members(&mut self) -> Parsed {
        let mut node = self.primary()?;
        loop {
            if self.take(".?") {
                node = Node::OptionalMember(Box::new(node), self.member_name()?);
            } else if self.take(".") {
                let name = self.member_name()?;
                node = if self.take("(") { self.method(node, name)? } else { Node::Member(Box::new(node), name) };
            } else if self.take("[") {
                let index = self.choice()?;
                self.expect("]")?;
                node = Node::Index(Box::new(node), Box::new(index));
            } else {
                return Ok(node);
            }
        }
    }

    /// Everything after `value.name(`.
    fn method(&mut self, value: Node, name: String) -> Parsed {
        let over = match name.as_str() {
            "all" => Some(Over::All),
            "exists" => Some(Over::Exists),
            "exists_one" => Some(Over::ExistsOne),
            "filter" => Some(Over::Filter),
            "map" => Some(Over::Map),
            _ => None,
        };
        if let Some(over) = over {
            let item = self.name()?;
            self.expect(",")?;
            let condition = self.choice()?;
            self.expect(")")?;
            return Ok(Node::Each(over, Box::new(value), item, Box::new(condition)));
        }
        let before = self.error();
        let mut arguments = self.list(")")?;
        if name == "matches"
            && let [Node::Text(pattern)] = arguments.as_slice()
        {
            let pattern = Regex::new(pattern).map_err(|_| before)?;
            return Ok(Node::Matches(Box::new(value), pattern));
        }
        if name == "intersects" && arguments.len() == 2 && matches!(&value, Node::Name(name) if name == "sets") {
            let (second, first) = (arguments.pop(), arguments.pop());
            return first.zip(second).map(|(a, b)| Node::Intersects(Box::new(a), Box::new(b))).ok_or(before);
        }
        if METHODS.contains(&(name.as_str(), arguments.len())) {
            Ok(Node::Method(Box::new(value), name, arguments))
        } else {
            Err(before)
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Node>, CelError> {
        let mut items = Vec::new();
        if self.take(end) {
            return Ok(items);
        }
        loop {
            items.push(self.choice()?);
            if self.take(end) {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }

    fn primary(&mut self) -> Parsed {
        let error = self.error();
        let token = self.tokens.get(self.next).map(|(_, token)| token.clone()).ok_or_else(|| error.clone())?;
        self.next += 1;
        match token {
            Token::Integer(number) => Ok(Node::Integer(number)),
            Token::Double(number) => Ok(Node::Double(number)),
            Token::Text(text) => Ok(Node::Text(text)),
            Token::Sign("[") => Ok(Node::List(self.list("]")?)),
            Token::Sign("(") => {
                let inner = self.choice()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign(_) => Err(error),
            Token::Name(name) => match name.as_str() {
                "true" | "false" => Ok(Node::Bool(name == "true")),
                "null" => Ok(Node::Null),
                _ if !self.take("(") => Ok(Node::Name(name)),
                "has" => match self.choice()? {
                    Node::Member(value, member) => {
                        self.expect(")")?;
                        Ok(Node::Has(value, member))
                    }
                    _ => Err(error),
                },
                function if FUNCTIONS.contains(&function) => {
                    let argument = self.choice()?;
                    self.expect(")")?;
                    Ok(Node::Call(name, Box::new(argument)))
                }
                _ => Err(error),
            },
        }
    }
}
