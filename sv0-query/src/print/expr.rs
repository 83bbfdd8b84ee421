//! Expressions, with as few brackets as their reading allows.

use super::{ADD, AND, CMP, CYPHER, LABEL_OR, MUL, NOT, OR, POSTFIX, SYNONYMS, TEST, UNARY, Writer, XOR};
use crate::ast::{ArithOp, Clause, CmpOp, Expr, ExprKind, Label, Literal, Name, Quant, Subquery, TextOp};
use crate::plan::{AGGREGATES, Func};

impl Writer {
    /// An expression where one of that level or a tighter one may stand.
    pub(super) fn expr(&mut self, e: &Expr, least: u8) -> &mut Self {
        if level(e) < least { self.put("(").bare(e).put(")") } else { self.bare(e) }
    }

    /// An expression that may be missing, with what stands before and behind it; what stands behind it always does.
    pub(super) fn given(&mut self, word: &str, e: Option<&Expr>, behind: &str) -> &mut Self {
        if let Some(e) = e {
            self.put(word).expr(e, OR);
        }
        self.put(behind)
    }

    pub(super) fn bare(&mut self, e: &Expr) -> &mut Self {
        use ExprKind as K;
        match &e.kind {
            K::Lit(l) => self.literal(l),
            K::Param(n) => self.put("$").key(n),
            K::Var(n) => self.name(n),
            K::Prop(a, n) => self.expr(a, POSTFIX).put(".").key(&n.text),
            K::Index(a, i) => self.expr(a, POSTFIX).put("[").expr(i, OR).put("]"),
            K::Slice(a, from, to) => {
                self.expr(a, POSTFIX).given("[", from.as_deref(), if from.is_some() { "" } else { "[" });
                self.given("..", to.as_deref(), if to.is_some() { "]" } else { "..]" })
            }
            K::List(items) => self.elements(items),
            K::Cmp(op, a, b) => self.binary(a, cmp_op(*op), b),
            K::Arith(op, a, b) => self.arithmetic(*op, a, b),
            K::Neg(a) => self.put("-").expr(a, POSTFIX),
            K::And(..) => self.chain(e, AND, "AND "),
            K::Or(..) => self.chain(e, OR, "OR "),
            K::Xor(..) => self.chain(e, XOR, "XOR "),
            K::Not(a) => self.not(a),
            K::IsNull(a, negated) => self.test(a, *negated, "NULL"),
            K::IsTruth(a, Some(true), negated) => self.test(a, *negated, "TRUE"),
            K::IsTruth(a, Some(false), negated) => self.test(a, *negated, "FALSE"),
            K::IsTruth(a, None, negated) => self.test(a, *negated, "UNKNOWN"),
            K::HasLabel(a, l) => match (&a.kind, l) {
                (K::Var(v), Label::Name(_)) => self.name(v).put(":").label(l, LABEL_OR),
                _ => self.test(a, false, "LABELED ").label(l, LABEL_OR),
            },
            K::IsEnd { node, edge, source, negated } => {
                self.test(node, *negated, if *source { "SOURCE OF " } else { "DESTINATION OF " }).expr(edge, POSTFIX)
            }
            K::In(a, b) => self.binary(a, " IN ", b),
            K::Text(op, a, b) => self.binary(a, text_op(*op), b),
            K::Call { name, args, distinct, star } => match (presence(e), cast_by(e)) {
                (Some(a), _) => self.test(a, true, "NULL"),
                (_, Some((a, ty))) => self.cast(a, ty),
                _ => self.call(name, args, *distinct, *star),
            },
            K::Cast(a, ty) => self.cast(a, &ty.text),
            K::Case { subject, arms, otherwise } => {
                self.put("CASE").given(" ", subject.as_deref(), "");
                self.list(arms, "", |w, (when, then)| w.put(" WHEN ").expr(when, OR).put(" THEN ").expr(then, OR));
                self.given(" ELSE ", otherwise.as_deref(), " END")
            }
            K::ListPred(q, var, list, pred) => {
                self.put(quantor(*q)).range(var, list).put(" WHERE ").expr(pred, OR).put(")")
            }
            K::ListComp { var, list, filter, map } => self.comprehension(var, list, filter.as_deref(), map.as_deref()),
            K::Exists(s) => self.put("EXISTS ").subquery(s),
            K::Count(s) => self.put("COUNT ").subquery(s),
            K::Value(s) => self.put("VALUE ").subquery(s),
        }
    }

    /// Two sums with an operator between them.
    fn binary(&mut self, a: &Expr, word: &str, b: &Expr) -> &mut Self {
        self.expr(a, ADD).put(word).expr(b, ADD)
    }

    /// `a IS [NOT] …`
    fn test(&mut self, a: &Expr, negated: bool, word: &str) -> &mut Self {
        self.expr(a, ADD).put(if negated { " IS NOT " } else { " IS " }).put(word)
    }

    fn not(&mut self, a: &Expr) -> &mut Self {
        match &a.kind {
            ExprKind::In(x, list) => self.binary(x, " NOT IN ", list),
            ExprKind::HasLabel(x, l) => self.test(x, true, "LABELED ").label(l, LABEL_OR),
            _ => self.put("NOT ").expr(a, NOT),
        }
    }

    fn chain(&mut self, e: &Expr, op: u8, word: &str) -> &mut Self {
        let (mut all, long) = (Vec::new(), self.is_long(|w| w.bare(e)));
        terms(e, op, usize::MAX, &mut all);
        if let Some((first, rest)) = all.split_first() {
            self.expr(first, op + 1);
            rest.iter().for_each(|t| self.part(long, word, |w| w.expr(t, op + 1)));
        }
        self
    }

    fn arithmetic(&mut self, op: ArithOp, a: &Expr, b: &Expr) -> &mut Self {
        let (word, own) = match op {
            ArithOp::Add => (" + ", ADD),
            ArithOp::Sub => (" - ", ADD),
            ArithOp::Concat => (" || ", ADD),
            ArithOp::Mul => (" * ", MUL),
            ArithOp::Div => (" / ", MUL),
            ArithOp::Mod => (" % ", MUL),
        };
        let at = self.expr(a, own).put(word).out.len();
        self.expr(b, own + 1);
        // `a - [` is read as an edge.
        if op == ArithOp::Sub && self.out.get(at..).is_some_and(|t| t.starts_with('[')) {
            self.out.insert(at, '(');
            self.put(")");
        }
        self
    }

    fn elements(&mut self, items: &[Expr]) -> &mut Self {
        match items {
            // Without parentheses it is a comprehension.
            [one] if matches!(&one.kind, ExprKind::In(x, _) if matches!(x.kind, ExprKind::Var(_))) => {
                self.put("[(").bare(one).put(")]")
            }
            _ => self.put("[").list(items, ", ", |w, e| w.expr(e, OR)).put("]"),
        }
    }

    /// `x IN list`
    pub(super) fn range(&mut self, var: &Name, list: &Expr) -> &mut Self {
        self.name(&var.text).put(" IN ").expr(list, ADD)
    }

    fn comprehension(&mut self, var: &Name, list: &Expr, filter: Option<&Expr>, map: Option<&Expr>) -> &mut Self {
        self.put("[").range(var, list);
        if let Some(e) = filter {
            let at = self.put(" WHERE ").out.len();
            self.expr(e, OR);
            // A label would go on with the bar.
            if map.is_some() && self.label_end == self.out.len() {
                self.out.insert(at, '(');
                self.put(")");
            }
        }
        self.given(" | ", map, "]")
    }

    fn call(&mut self, name: &str, args: &[Expr], distinct: bool, star: bool) -> &mut Self {
        if Func::by_name(name).is_some() || AGGREGATES.iter().any(|(n, _)| *n == name) {
            let synonym = SYNONYMS.iter().find(|(n, _)| *n == name).map(|(_, c)| *c);
            let own = synonym.or_else(|| CYPHER.iter().copied().find(|c| c.eq_ignore_ascii_case(name)));
            self.put(&own.map_or_else(|| name.to_uppercase(), str::to_owned));
        } else {
            let parts: Vec<&str> = name.split('.').collect();
            self.list(&parts, ".", |w, p| w.name(p));
        }
        self.put(if distinct { "(DISTINCT " } else { "(" });
        if star { self.put("*") } else { self.list(args, ", ", |w, a| w.expr(a, OR)) }.put(")")
    }

    fn cast(&mut self, a: &Expr, ty: &str) -> &mut Self {
        self.put("CAST(").expr(a, OR).put(" AS ");
        match ty.to_uppercase().as_str() {
            "STRING" | "VARCHAR" => self.put("STRING"),
            "INT" | "INTEGER" | "INT64" | "BIGINT" => self.put("INTEGER"),
            "FLOAT" | "FLOAT64" | "DOUBLE" | "REAL" => self.put("FLOAT"),
            "BOOL" | "BOOLEAN" => self.put("BOOLEAN"),
            "TIMESTAMP" | "DATETIME" | "ZONED_DATETIME" => self.put("ZONED DATETIME"),
            _ => self.name(ty),
        }
        .put(")")
    }

    pub(super) fn subquery(&mut self, s: &Subquery) -> &mut Self {
        self.braces(|w| match (&s.linear.graph, s.linear.clauses.as_slice()) {
            (None, [Clause::Match(m)]) if !m.optional => w.match_body(m),
            _ => {
                let around = std::mem::replace(&mut w.combined, false);
                w.linear(&s.linear);
                w.combined = around;
                w
            }
        })
    }
}

/// The level of what is printed for an expression.
fn level(e: &Expr) -> u8 {
    use ExprKind as K;
    match &e.kind {
        K::Or(..) => OR,
        K::Xor(..) => XOR,
        K::And(..) => AND,
        K::Not(a) if matches!(a.kind, K::In(..) | K::HasLabel(..)) => TEST,
        K::Not(_) => NOT,
        K::Cmp(..) => CMP,
        K::IsNull(..) | K::IsTruth(..) | K::HasLabel(..) | K::IsEnd { .. } | K::In(..) | K::Text(..) => TEST,
        K::Call { .. } if presence(e).is_some() => TEST,
        K::Arith(ArithOp::Add | ArithOp::Sub | ArithOp::Concat, ..) => ADD,
        K::Arith(ArithOp::Mul | ArithOp::Div | ArithOp::Mod, ..) => MUL,
        K::Neg(_) | K::Lit(Literal::Int(_) | Literal::Float(_)) => UNARY,
        #[rustfmt::skip]
        K::Lit(Literal::Null | Literal::Bool(_) | Literal::Str(_)) | K::Param(_) | K::Var(_) | K::Prop(..)
        | K::Index(..) | K::Slice(..) | K::List(_) | K::Call { .. } | K::Cast(..) | K::Case { .. } | K::ListPred(..)
        | K::ListComp { .. } | K::Exists(_) | K::Count(_) | K::Value(_) => POSTFIX,
    }
}

/// Both sides, if the expression is of that operator.
fn sides(e: &Expr, op: u8) -> Option<(&Expr, &Expr)> {
    match (&e.kind, op) {
        (ExprKind::Or(a, b), OR) | (ExprKind::Xor(a, b), XOR) | (ExprKind::And(a, b), AND) => Some((&**a, &**b)),
        _ => None,
    }
}

/// How many levels of an expression are of that operator on all sides.
fn full(e: &Expr, op: u8) -> u32 {
    sides(e, op).map_or(0, |(a, b)| 1 + full(a, op).min(full(b, op)))
}

/// The terms, `most` at most, of which the parser makes just this tree. It joins neighbours, then what that gave, and
/// so on: on the left of each tree stand 2^k terms, whole, and on the right the rest, no more than these.
fn terms<'e>(e: &'e Expr, op: u8, most: usize, out: &mut Vec<&'e Expr>) {
    match sides(e, op) {
        Some((a, b)) if most > 1 => {
            let k = full(a, op).min((most - 1).ilog2());
            leaves(a, op, k, out);
            let left = 1usize << k;
            terms(b, op, left.min(most - left), out);
        }
        _ => out.push(e),
    }
}

/// What stands `k` levels below an expression.
fn leaves<'e>(e: &'e Expr, op: u8, k: u32, out: &mut Vec<&'e Expr>) {
    match sides(e, op) {
        Some((a, b)) if k > 0 => {
            leaves(a, op, k - 1, out);
            leaves(b, op, k - 1, out);
        }
        _ => out.push(e),
    }
}

fn cmp_op(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => " = ",
        CmpOp::Ne => " <> ",
        CmpOp::Lt => " < ",
        CmpOp::Le => " <= ",
        CmpOp::Gt => " > ",
        CmpOp::Ge => " >= ",
    }
}

fn text_op(op: TextOp) -> &'static str {
    match op {
        TextOp::StartsWith => " STARTS WITH ",
        TextOp::EndsWith => " ENDS WITH ",
        TextOp::Contains => " CONTAINS ",
        TextOp::Regex => " =~ ",
    }
}

fn quantor(q: Quant) -> &'static str {
    match q {
        Quant::Any => "any(",
        Quant::All => "all(",
        Quant::None => "none(",
        Quant::Single => "single(",
    }
}

/// What `exists(…)` of old asks about.
fn presence(e: &Expr) -> Option<&Expr> {
    let ExprKind::Call { name, args, distinct: false, star: false } = &e.kind else { return None };
    if &**name == "exists" && args.len() == 1 { args.first() } else { None }
}

/// What a function of one argument casts, and to which type. They differ from CAST in the words of an error alone.
fn cast_by(e: &Expr) -> Option<(&Expr, &'static str)> {
    let ExprKind::Call { name, args, distinct: false, star: false } = &e.kind else { return None };
    let [a] = args.as_slice() else { return None };
    match &**name {
        "tostring" => Some((a, "STRING")),
        "tointeger" | "toint" => Some((a, "INTEGER")),
        "tofloat" => Some((a, "FLOAT")),
        "toboolean" => Some((a, "BOOLEAN")),
        _ => None,
    }
}
