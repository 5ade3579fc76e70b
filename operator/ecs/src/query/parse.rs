//! Text to [`Expression`].

use super::scan::Scanner;
use super::{Comparison, Expression, Operator, QueryError, Subject};

/// Longest expression, in characters.
pub const MAX_LENGTH: usize = 2000;
/// Deepest nesting of parentheses and negations.
const MAX_DEPTH: usize = 32;
/// Longest name and longest value of an attribute.
const MAX_ATTRIBUTE: usize = 128;

/// Longer spellings come before the shorter ones that they begin with.
const SYMBOLS: [(&str, Operator); 10] = [
    ("==", Operator::Equals),
    ("!=", Operator::NotEquals),
    ("=~", Operator::Matches),
    ("!~", Operator::NotMatches),
    (">=", Operator::GreaterThanEqual),
    ("<=", Operator::LessThanEqual),
    (">", Operator::GreaterThan),
    ("<", Operator::LessThan),
    ("!exists", Operator::NotExists),
    ("!in", Operator::NotIn),
];

const WORDS: [(&str, Operator); 12] = [
    ("equals", Operator::Equals),
    ("not_equals", Operator::NotEquals),
    ("greater_than_equal", Operator::GreaterThanEqual),
    ("greater_than", Operator::GreaterThan),
    ("less_than_equal", Operator::LessThanEqual),
    ("less_than", Operator::LessThan),
    ("exists", Operator::Exists),
    ("not_exists", Operator::NotExists),
    ("in", Operator::In),
    ("not_in", Operator::NotIn),
    ("matches", Operator::Matches),
    ("not_matches", Operator::NotMatches),
];

/// Reads an expression.
///
/// # Errors
/// With the column at which the text stops being an expression.
pub fn parse(text: &str) -> Result<Expression, QueryError> {
    if text.chars().count() > MAX_LENGTH {
        let message = format!("an expression has at most {MAX_LENGTH} characters");
        return Err(QueryError { column: MAX_LENGTH + 1, message });
    }
    let mut scanner = Scanner::new(text);
    let expression = any_of(&mut scanner, 0)?;
    scanner.skip_blanks();
    match scanner.peek() {
        None => Ok(expression),
        Some(c) => Err(scanner.error(format!("and, or, or the end was expected, but there is {c:?}"))),
    }
}

fn any_of(scanner: &mut Scanner, depth: usize) -> Result<Expression, QueryError> {
    let mut parts = vec![all_of(scanner, depth)?];
    loop {
        scanner.skip_blanks();
        if !(scanner.word("or") || scanner.symbol("||")) {
            return Ok(join(parts, Expression::Or));
        }
        parts.push(all_of(scanner, depth)?);
    }
}

fn all_of(scanner: &mut Scanner, depth: usize) -> Result<Expression, QueryError> {
    let mut parts = vec![negation(scanner, depth)?];
    loop {
        scanner.skip_blanks();
        if !(scanner.word("and") || scanner.symbol("&&")) {
            return Ok(join(parts, Expression::And));
        }
        parts.push(negation(scanner, depth)?);
    }
}

fn join(mut parts: Vec<Expression>, many: impl Fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            many(parts)
        }
    }
}

fn negation(scanner: &mut Scanner, depth: usize) -> Result<Expression, QueryError> {
    scanner.skip_blanks();
    if depth > MAX_DEPTH {
        return Err(scanner.error(format!("nested more than {MAX_DEPTH} deep")));
    }
    if scanner.word("not") || scanner.symbol("!") {
        return Ok(Expression::Not(Box::new(negation(scanner, depth + 1)?)));
    }
    if scanner.symbol("(") {
        let inner = any_of(scanner, depth + 1)?;
        scanner.skip_blanks();
        return if scanner.symbol(")") { Ok(inner) } else { Err(scanner.error("a closing parenthesis is missing")) };
    }
    comparison(scanner).map(Expression::Comparison)
}

fn comparison(scanner: &mut Scanner) -> Result<Comparison, QueryError> {
    let column = scanner.column();
    let subject = subject(scanner)?;
    scanner.skip_blanks();
    let operator = operator(scanner)?;
    scanner.skip_blanks();
    let arguments = match operator {
        Operator::Exists | Operator::NotExists => Vec::new(),
        Operator::In | Operator::NotIn => list(scanner)?,
        Operator::Matches | Operator::NotMatches => vec![scanner.pattern()?],
        _ => vec![scanner.value()?],
    };
    if arguments.iter().any(|argument| argument.chars().count() > MAX_ATTRIBUTE) {
        let message = format!("a value or pattern has at most {MAX_ATTRIBUTE} characters");
        return Err(QueryError { column, message });
    }
    let is_order = matches!(
        operator,
        Operator::GreaterThan | Operator::GreaterThanEqual | Operator::LessThan | Operator::LessThanEqual
    );
    if is_order && arguments.iter().any(|argument| argument.parse::<i64>().is_err()) {
        return Err(QueryError { column, message: "only whole numbers can be greater or less".to_owned() });
    }
    Ok(Comparison { subject, operator, arguments, column })
}

fn subject(scanner: &mut Scanner) -> Result<Subject, QueryError> {
    let column = scanner.column();
    let name = scanner.subject();
    let wrong = |message: String| Err(QueryError { column, message });
    if let Some(attribute) = name.strip_prefix("attribute:") {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || "-_/\\.".contains(c);
        return if attribute.is_empty() || attribute.len() > MAX_ATTRIBUTE || !attribute.chars().all(is_legal) {
            let message = format!(
                "the name of an attribute has 1 to {MAX_ATTRIBUTE} letters, digits, hyphens, underscores, slashes, \
                 backslashes or full stops"
            );
            wrong(message)
        } else {
            Ok(Subject::Attribute(attribute.to_owned()))
        };
    }
    match name.as_str() {
        "task:group" => Ok(Subject::TaskGroup),
        "agentConnected" => Ok(Subject::AgentConnected),
        "agentVersion" => Ok(Subject::AgentVersion),
        "ec2InstanceId" => Ok(Subject::Ec2InstanceId),
        "registeredAt" => Ok(Subject::RegisteredAt),
        "runningTasksCount" => Ok(Subject::RunningTasksCount),
        "" => wrong("a subject is missing, such as attribute:ecs.instance-type".to_owned()),
        other => wrong(format!("{other} is no subject: attribute:NAME, task:group and ec2InstanceId are")),
    }
}

fn operator(scanner: &mut Scanner) -> Result<Operator, QueryError> {
    let symbol = SYMBOLS.into_iter().find(|(symbol, _)| {
        if symbol.ends_with(char::is_alphabetic) { scanner.word(symbol) } else { scanner.symbol(symbol) }
    });
    let found = symbol.or_else(|| WORDS.into_iter().find(|(word, _)| scanner.word(word)));
    found.map(|(_, operator)| operator).ok_or_else(|| scanner.error("an operator is missing, such as =="))
}

fn list(scanner: &mut Scanner) -> Result<Vec<String>, QueryError> {
    if !scanner.symbol("[") {
        return Err(scanner.error("a list such as [a, b] was expected"));
    }
    let mut values = Vec::new();
    loop {
        scanner.skip_blanks();
        values.push(scanner.value()?);
        scanner.skip_blanks();
        if scanner.symbol("]") {
            return Ok(values);
        }
        if !scanner.symbol(",") {
            return Err(scanner.error("a comma or ] was expected"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str, operator: Operator, arguments: &[&str], column: usize) -> Expression {
        let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
        Expression::Comparison(Comparison { subject: Subject::Attribute(name.to_owned()), operator, arguments, column })
    }

    #[test]
    fn when_an_operator_is_spelled_in_symbols_or_words_then_it_is_the_same() {
        for (text, operator, arguments) in [
            ("==", Operator::Equals, &["x"][..]),
            ("equals", Operator::Equals, &["x"]),
            ("!=", Operator::NotEquals, &["x"]),
            ("not_equals", Operator::NotEquals, &["x"]),
            (">", Operator::GreaterThan, &["3"]),
            ("greater_than", Operator::GreaterThan, &["3"]),
            (">=", Operator::GreaterThanEqual, &["3"]),
            ("greater_than_equal", Operator::GreaterThanEqual, &["3"]),
            ("<", Operator::LessThan, &["3"]),
            ("less_than", Operator::LessThan, &["3"]),
            ("<=", Operator::LessThanEqual, &["3"]),
            ("less_than_equal", Operator::LessThanEqual, &["3"]),
            ("exists", Operator::Exists, &[]),
            ("!exists", Operator::NotExists, &[]),
            ("not_exists", Operator::NotExists, &[]),
            ("=~", Operator::Matches, &["x.*"]),
            ("matches", Operator::Matches, &["x.*"]),
            ("!~", Operator::NotMatches, &["x.*"]),
            ("not_matches", Operator::NotMatches, &["x.*"]),
        ] {
            let expression = format!("attribute:a {text} {}", arguments.first().unwrap_or(&""));
            assert_eq!(parse(&expression), Ok(attribute("a", operator, arguments, 1)), "{expression}");
        }
        for (text, operator) in [("in", Operator::In), ("!in", Operator::NotIn), ("not_in", Operator::NotIn)] {
            let expression = format!("attribute:a {text} [x, \"y z\" , 3]");
            assert_eq!(parse(&expression), Ok(attribute("a", operator, &["x", "y z", "3"], 1)), "{expression}");
        }
    }

    #[test]
    fn when_parts_are_joined_then_not_binds_before_and_before_or() {
        let simple = |name: &str, column| attribute(name, Operator::Exists, &[], column);
        let text = "attribute:a exists or not attribute:b exists && attribute:c exists";
        let negated = Expression::Not(Box::new(simple("b", 27)));
        let both = Expression::And(vec![negated, simple("c", 49)]);
        assert_eq!(parse(text), Ok(Expression::Or(vec![simple("a", 1), both])));
        let text = "!(attribute:a exists || attribute:b exists)";
        let either = Expression::Or(vec![simple("a", 3), simple("b", 25)]);
        assert_eq!(parse(text), Ok(Expression::Not(Box::new(either))));
    }

    #[test]
    fn when_there_are_no_blanks_then_it_is_read_all_the_same() {
        let one = attribute("stack", Operator::Equals, &["prod"], 1);
        assert_eq!(parse("attribute:stack==prod"), Ok(one.clone()));
        let other = attribute("tier", Operator::Equals, &["web"], 24);
        assert_eq!(parse("attribute:stack==prod||attribute:tier==web"), Ok(Expression::Or(vec![one, other])));
    }

    #[test]
    fn when_a_pattern_has_parentheses_then_they_belong_to_it_while_they_are_balanced() {
        let pattern = attribute("ecs.instance-type", Operator::Matches, &["t2.(micro|small)"], 2);
        assert_eq!(parse("(attribute:ecs.instance-type =~ t2.(micro|small))"), Ok(pattern));
    }

    #[test]
    fn when_a_text_is_no_expression_then_the_column_says_where() {
        for (text, column) in [
            ("", 1),
            ("attribute:", 1),
            ("attribute:a", 12),
            ("attribute:a ==", 15),
            ("attribute:a == b c", 18),
            ("attribute:a == 'b", 16),
            ("attribute:a in b", 16),
            ("attribute:a in [b", 18),
            ("attribute:a > b", 1),
            ("(attribute:a exists", 20),
            ("attribute:a exists and", 23),
            ("stack == prod", 1),
            ("attribute:ä exists", 1),
            (")", 1),
        ] {
            assert_eq!(parse(text).unwrap_err().column, column, "{text}");
        }
        assert!(parse(&"!".repeat(100)).unwrap_err().message.contains("32 deep"));
        assert_eq!(parse(&"x".repeat(2001)).unwrap_err().column, 2001);
    }
}
