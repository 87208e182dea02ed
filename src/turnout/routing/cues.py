# ruff: noqa: RUF001 (cues of other scripts)
"""The weights of the task classifier, as data.

A cue adds its weight to a task's score. Kinds: `word`, `several words` (a phrase, punctuation removed), `^word` (the first
telling word of the text or of its last line: usually the verb of an instruction), `#mark` (structure, see `features`).
Weights are hand-set in steps of 0.5: 1 hints, 2 suggests, 4 nearly settles, negative speaks against. Cues that several
tasks share appear under each, with the weight they deserve there.

`WIDE_CUES` are looked for anywhere inside a text that is not ASCII: scripts without spaces, inflected languages.
"""

from __future__ import annotations

from collections.abc import Mapping

from turnout.core.card import Capability, Task

BIAS: Mapping[Task, float] = {
    "question_answering": 0.8,
    "conversation": 0.4,
    "structured_data": -0.5,
    "document_analysis": -0.5,
    "data_analysis": -0.5,
    "tool_use": -0.3,
}

# words that lead an instruction without telling what it is
FILLERS = frozenset(
    [
        "please",
        "kindly",
        "can",
        "could",
        "would",
        "will",
        "you",
        "i",
        "id",
        "im",
        "we",
        "want",
        "need",
        "help",
        "me",
        "to",
        "us",
        "hey",
        "hi",
        "hello",
        "now",
        "then",
        "so",
        "ok",
        "okay",
        "the",
        "a",
        "an",
        "my",
        "and",
        "just",
        "also",
        "your",
        "task",
        "is",
        "let",
        "lets",
        "for",
        "us",
    ]
)

TASK_CUES: Mapping[Task, Mapping[str, float]] = {
    "code_generation": {
        "#code": 3.5, "code": 2.5, "python": 3.0, "javascript": 3.5, "typescript": 3.5, "java": 3.0, "sql": 3.5, "html": 2.5,
        "css": 2.5, "bash": 3.0, "shell": 1.0, "rust": 2.0, "golang": 3.5, "kotlin": 3.5, "swift": 1.5, "php": 3.5, "ruby": 2.0,
        "perl": 2.5, "c++": 3.5, "react": 1.5, "django": 3.0, "flask": 2.0, "sqlite": 2.5, "postgres": 2.0, "regex": 3.5,
        "regexp": 3.5, "regular expression": 3.5, "algorithm": 2.0, "function": 2.2, "functions": 1.5, "program": 2.0,
        "script": 1.8, "class": 0.3, "method": 0.5, "implement": 2.0, "^implement": 2.0, "refactor": 3.5, "debug": 3.5, "bug": 1.5,
        "compile": 2.5, "compiler": 2.0, "exception": 1.2, "stack trace": 3.0, "traceback": 3.5, "unit test": 3.0,
        "unit tests": 3.0, "pytest": 3.5, "api": 1.0, "endpoint": 1.2, "repository": 0.5, "git": 2.0, "docker": 2.0, "array": 1.8,
        "arrays": 1.8, "string": 1.2, "strings": 1.0, "integer": 1.0, "integers": 1.0, "boolean": 1.5, "variable": 0.8,
        "loop": 1.5, "recursive": 1.5, "recursion": 2.0, "linked list": 3.0, "binary tree": 3.0, "binary search": 2.5,
        "list comprehension": 3.0, "lambda": 2.0, "async": 1.5, "sorts": 1.2, "query": 1.2, "database": 1.0, "schema": 1.0,
        "tables": 1.0, "table": 0.3, "select": 0.5, "write a function": 4.0, "write a program": 4.0, "write a script": 3.5,
        "python function": 3.0, "write a query": 3.0, "sql query": 3.0, "write sql": 3.0, "in python": 2.0, "using python": 2.0,
        "def": 1.0, "return": 0.4, "int": 1.2, "npm": 2.5, "webpack": 3.0, "pandas": 2.0, "numpy": 2.5, "json": 0.3, "^fix": 0.8,
        "^create": 0.4, "^write": 0.3, "^develop": 0.8, "^design": 0.4, "source code": 2.5, "this code": 2.5, "the code": 2.0,
        "code snippet": 2.5, "programming": 1.8, "stdin": 2.5, "leetcode": 4.0, "css class": 2.0, "kubernetes": 2.0, "yaml": 1.0,
        "program to": 1.5, "program that": 2.0, "function that": 2.0, "function to": 2.0, "script that": 2.0, "div": 2.0,
        "switch statement": 3.0, "if else": 2.0, "object": 0.6, "vector": 1.0, "data structure": 2.0, "hash map": 2.0,
        "stack overflow": 1.5, "object oriented": 2.5, "frontend": 2.0, "backend": 1.5, "error message": 1.0, "library": 0.5,
        "framework": 0.6, "method that": 1.5, "in c": 1.5, "class that": 2.0, "in java": 1.5, "in javascript": 1.5,
        "dictionary": 0.8,
    },
    "summarization": {
        "summarize": 4.5, "summarise": 4.5, "summary": 4.0, "summaries": 3.0, "summarizing": 3.5, "summarizes": 2.5, "summarized": 2.5,
        "tldr": 4.5, "tl dr": 4.5, "condense": 4.0, "shorten": 2.0, "distill": 3.5, "digest": 1.5, "recap": 3.0, "synopsis": 3.0,
        "gist": 3.0, "abstract": 1.0, "key points": 3.5, "main points": 3.5, "key takeaways": 3.5, "takeaways": 2.5,
        "main ideas": 2.0, "main idea": 1.5, "in brief": 1.5, "sum up": 3.5, "in a nutshell": 2.5, "highlights": 1.5,
        "bullet points": 1.0, "boil down": 3.5, "outline of the": 1.0, "headline": 2.5, "headlines": 1.0, "title for": 2.5,
        "minutes of": 1.5, "one sentence": 1.0, "the following article": 0.8, "following text": 0.5, "articles": 0.6, "transcript": 1.0,
        "^summarize": 2.0, "^summarise": 2.0, "^condense": 1.5, "main topic": 0.5, "#long": 0.4, "what are the most important": 1.0,
        "title": 1.0, "outline": 1.2, "generate a title": 1.5, "the article": 0.6, "this article": 1.0, "in a few": 0.6,
        "this email thread": 1.5, "the rest of": 0.3, "shorter version": 2.0, "sentences": 0.4, "in 2 or 3 sentences": 1.0,
    },
    "extraction": {
        "extract": 4.5, "extracts": 3.0, "extracted": 3.0, "extracting": 3.5, "extraction": 3.0, "^extract": 2.0, "entities": 3.0,
        "named entities": 3.0, "entity": 1.5, "list all": 1.8, "list the": 0.6, "find all": 2.0, "identify all": 2.0, "pull out": 3.5,
        "key details": 2.0, "details about": 1.0, "all names": 2.5, "all dates": 2.5, "phone numbers": 2.0,
        "email addresses": 2.0, "mentioned in": 1.5, "keywords": 2.5, "key phrases": 3.0, "keyphrases": 3.5, "from the following": 0.6,
        "from the text": 1.2, "from this text": 1.5, "invoice": 1.0, "fields": 1.2, "values of": 0.8, "^list": 0.3, "#json_output": 1.0,
        "total amount": 1.0, "due date": 0.8, "can be extracted": 2.0,
        "answer to the question": -3.0, "extract the answer": -2.0, "key points": -2.5, "span": 1.5,
    },
    "translation": {
        "translate": 4.5, "translation": 3.0, "translations": 1.0, "^translate": 2.0, "translated": 2.5, "translating": 3.0,
        "into english": 3.0, "into french": 3.5, "into german": 3.5, "into spanish": 3.5, "into chinese": 3.5, "into japanese": 3.5,
        "into italian": 3.5, "into portuguese": 3.5, "into russian": 3.5, "into korean": 3.5, "into arabic": 3.5, "to english": 2.0,
        "to french": 2.5, "to german": 2.5, "to spanish": 2.5, "to chinese": 2.0, "to japanese": 2.0, "in french": 2.0, "in spanish": 2.0,
        "in german": 1.8, "in italian": 2.0, "in japanese": 1.8, "in chinese": 1.5, "in russian": 1.8, "in portuguese": 2.0,
        "in korean": 1.8, "in arabic": 1.8, "in hindi": 2.0, "in swedish": 2.0, "in latin": 1.5, "how do you say": 4.0,
        "how would i say": 3.5, "how do i say": 4.0, "how to say": 3.5, "how would you say": 3.0, "what is the word for": 3.0,
        "word for": 1.0, "into sql": -4.0, "to sql": -4.0, "how can i say": 3.0, "traduce": 3.5, "traduire": 3.5, "traduis": 4.0, "traduisez": 4.0, "traduci": 4.0, "traduza": 4.0, "traduzir": 3.5,
        "traduzca": 4.0, "traducir": 3.5, "traducci": 3.0, "traduction": 3.0, "traduzione": 3.5, "ubersetze": 4.0, "auf deutsch": 1.5,
        "en ingl": 1.5, "en anglais": 2.5, "ins englische": 3.0, "vertaal": 4.0,
    },
    "structured_data": {
        "json": 3.0, "xml": 2.5, "yaml": 2.5, "csv": 1.8, "as json": 2.0, "in json": 2.0, "json object": 2.0, "valid json": 2.5,
        "json format": 2.0, "json schema": 2.0, "to json": 2.0, "into json": 2.0, "markdown table": 2.5, "as a table": 2.0,
        "into a table": 2.0, "table format": 2.0, "key value": 1.5, "keys": 1.0, "fields": 0.8, "schema": 0.8, "#json_output": 3.0,
        "structured": 1.5, "convert": 0.5, "^convert": 0.5, "^return": 0.8, "with the keys": 2.0, "with fields": 1.5, "format": 0.4,
        "columns": 0.8,
    },
    "classification": {
        "classify": 4.5, "^classify": 1.5, "classification": 3.0, "categorize": 4.5, "categorise": 4.5, "category": 2.5, "categories": 2.0,
        "label": 2.5, "labels": 1.5, "sentiment": 4.5, "positive or negative": 4.0, "negative or positive": 4.0, "positive": 0.8,
        "negative": 0.8, "spam": 2.5, "true or false": 1.8, "yes or no": 2.2, "which of the following categories": 3.0, "topic": 0.8,
        "which category": 3.0, "belongs to": 1.0, "belong to": 1.0, "is it about": 1.5,
        "satisfied": 1.0, "favorable": 1.5, "favourable": 1.5, "toxic": 2.0, "offensive": 1.5, "intent": 1.5,
        "review": 1.2, "reviewer": 1.8, "reviews": 0.4, "paraphrase of": 2.5, "same meaning": 3.0, "same thing": 2.0, "equivalent": 1.5,
        "duplicate": 1.5, "duplicates": 1.8, "paraphrases": 3.0, "tell me if": 2.0, "is this text about": 2.5, "is this": 0.6, "does this": 0.6,
        "detect": 1.5, "rate": 0.5, "would you say": 1.0, "urgent": 1.0, "tag": 1.0, "which section": 2.0, "newspaper": 1.0, "validate": 1.5, "valid answer": 1.5, "correct answer": 0.4, "one word": 1.0, "fake": 1.0, "agree": 0.5,
        "is the following": 1.0, "are the following": 1.0, "do these": 1.2, "do the following": 1.0, "do they": 0.4, "#choices": 0.2,
        "would you recommend": 0.5, "sentence 1": 2.0, "sentence 2": 2.0,
        "question 1": 1.0, "question 2": 1.0,
        "feel about": 2.5, "good or bad": 2.5, "movie": 0.5, "film": 0.3, "is this a": 1.2, "section": 0.8,
        "or not": 1.5, "two sentences": 2.0, "determine if": 2.5, "determine whether": 2.5, "decide if": 2.0, "decide whether": 2.0,
        "paraphrase each other": 3.0, "good review": 1.5, "is it": 0.4, "mean the same": 3.0, "politics": 0.6, "sports": 0.6,
        "business": 0.3, "appear in": 0.8, "best describes": 1.5, "which of these": 1.0, "choose from": 1.0, "recommend": 0.3,
        "paraphrase": 0.8, "does sentence": 2.5, "genre": 1.5, "acceptable": 1.0, "entail": 2.5, "entailment": 3.0,
        "premise": 1.0, "hypothesis": 1.0,
    },
    "question_answering": {
        "#question": 1.2, "#asks": 0.3, "^what": 1.4, "^who": 2.0, "^when": 1.6, "^where": 1.8, "^which": 1.4, "^why": 1.4, "^how": 1.2,
        "^whats": 0.8, "^explain": 1.5, "^describe": 0.9, "^does": 0.8, "^is": 0.6, "^are": 0.6, "^do": 0.4, "^did": 1.0, "^compare": 1.2, "^define": 1.5,
        "who": 0.5, "what is": 0.3, "difference between": 1.2, "capital of": 1.5, "explain": 0.4, "meaning of": 1.0, "definition": 1.0,
        "#choices": 1.5, "answer": 0.5, "tell me about": 1.2, "how does": 0.6, "how do": 0.3, "why do": 0.6, "why is": 0.4, "invented": 1.0,
        "president": 0.6, "known as": 0.8, "following is": 0.5, "refers to": 1.0, "statement": 0.3, "correct answer": 0.8, "history of": 0.5,
        "most likely": 0.6, "advantages": 0.8, "benefits": 0.5, "best way to": 0.6, "located": 0.6, "true or false": 0.3, "question": 0.4,
        "causes": 0.5, "effects": 0.5, "according to": 0.2, "#blocks": -0.3, "#long": -0.8, "trivia": 1.5, "exam": 1.0,
        "^cosa": 1.5, "^come": 0.8, "^qual": 1.2, "^quais": 1.2, "^quels": 1.5, "^quelles": 1.5, "^quelle": 1.5, "^comment": 1.5, "^pourquoi": 1.5,
        "^was": 0.8, "^wie": 1.5, "^warum": 1.5, "^welche": 1.5, "^porque": 1.0, "^como": 1.2, "^quali": 1.2, "^perch": 1.2,
        "wonder": 0.5, "tend to": 0.4, "because": 0.2, "examples of": 0.5, "#short": 0.2,
    },
    "question_answering_in_context": {
        "passage": 3.0, "paragraph": 1.8, "context": 1.8, "background": 1.5, "the following passage": 2.5, "based on the": 1.0,
        "according to the": 1.0, "given the": 0.5, "from the passage": 2.5, "read the": 1.8, "the article": 0.6, "the above": 1.0,
        "above": 0.8, "the text": 0.8, "in the text": 1.5, "answer the question": 1.2, "answer the following question": 1.2,
        "using the information": 2.0, "information from": 1.0, "use information": 1.5, "following question": 0.8,
        "#long": 1.2, "#blocks": 0.4, "#question": 0.3, "#asks": 0.3, "the story": 0.8, "dialogue": 1.5, "plot": 1.5, "movie plot": 1.5,
        "extract from": 0.2, "excerpt": 1.5, "documents": 0.8, "only the context": 2.5, "provided context": 3.0, "context below": 3.0, "facts": 0.5, "question": 0.5, "i read this": 1.5, "having read": 2.0, "in the article": 1.2, "conversation": 0.6, "#image": 1.0,
        "answer to the question": 2.0, "extract the answer": 3.0, "answer": 0.4, "following context": 1.5, "present within": 1.0, "the question": 0.6,
        "refer to": 0.5, "story": 0.5, "choices": 0.3, "the following article": 0.5,
    },
    "document_analysis": {
        "#document": 4.0, "document": 1.8, "documents": 1.0, "pdf": 2.5, "contract": 1.5, "clause": 2.0, "clauses": 2.0, "agreement": 0.8,
        "attached": 2.0, "this report": 1.8, "the report": 1.0, "filing": 1.2, "10 k": 1.5, "analyze the document": 3.0,
        "analyse the document": 3.0, "review this contract": 3.0, "legal": 0.5, "obligations": 1.5, "terms and conditions": 1.0,
        "white paper": 1.0, "research paper": 1.0, "risks": 0.5, "compliance": 0.8, "sections": 0.5, "page": 0.4, "pages": 0.5,
        "^analyze": 0.8, "^analyse": 0.8, "^review": 0.8, "#image": 0.5, "scanned": 1.5, "appendix": 1.0,
    },
    "data_analysis": {
        "dataset": 2.5, "data": 0.8, "trend": 1.8, "trends": 1.8, "correlation": 2.0, "csv": 1.5, "spreadsheet": 2.0, "outliers": 2.5,
        "outlier": 2.0, "average": 0.4, "mean": 0.2, "median": 1.2, "regression": 1.5, "statistics": 1.0, "statistical": 1.0, "chart": 1.2,
        "plot the": 1.2, "visualize": 1.5, "analyze the data": 3.5, "analyse the data": 3.5, "analyze this data": 3.5, "data analysis": 3.0,
        "this data": 2.0, "the data": 1.2, "sales": 0.5, "revenue": 0.7, "quarter": 0.6, "quarterly": 1.0, "growth": 0.3, "cohort": 1.5,
        "churn": 1.5, "metrics": 1.0, "kpi": 1.5, "month over month": 2.0, "year over year": 2.0, "pivot": 1.2, "rows": 0.8, "columns": 0.8,
        "^analyze": 1.0, "^analyse": 1.0, "insights": 1.0, "anomalies": 1.8, "forecast": 1.2, "#many_digits": 0.3, "a b test": 2.0,
    },
    "mathematics": {
        "#formula": 1.4, "#many_digits": 0.8, "#digits": 0.5, "solve": 2.0, "^solve": 1.5, "calculate": 2.2, "^calculate": 1.5, "compute": 1.8,
        "equation": 2.5, "equations": 2.0, "how many": 1.2, "how much": 0.8, "total": 0.6, "sum of": 1.5, "product of": 1.0, "percent": 0.8,
        "percentage": 1.0, "probability": 1.8, "integral": 2.5, "derivative": 2.5, "matrix": 2.0, "theorem": 2.0, "prove": 1.5, "prime": 1.2,
        "polynomial": 2.5, "triangle": 1.8, "circle": 1.0, "radius": 1.5, "angle": 1.2, "square root": 2.5, "divided by": 2.0, "times": 0.5,
        "multiplied": 2.0, "plus": 1.0, "minus": 1.2, "remainder": 1.5, "fraction": 1.5, "each": 0.6, "per": 0.4, "cost": 0.4, "left": 0.3,
        "half": 0.5, "twice": 1.2, "altogether": 1.5, "miles": 0.5, "hours": 0.3, "dollars": 0.5, "math": 2.5, "algebra": 2.0, "geometry": 1.5,
        "homomorphism": 2.5, "homomorphic": 2.5, "subgroup": 2.5, "ring": 0.8, "finite": 0.8, "isomorphic": 2.5, "modulo": 2.0, "boxed": 3.0,
        "more than": 0.3, "remaining": 0.5, "earn": 0.5, "cubic": 1.0, "area of": 1.0, "perimeter": 2.0, "factorial": 1.2, "evaluate": 0.6,
        "value of": 0.8, "x": 0.6, "y": 0.3, "tablespoons": 1.0, "convert": 0.4, "square": 0.6, "average": 0.6, "gallons": 0.5,
        "function": -1.0, "program": -1.5, "article": -1.0, "passage": -1.0,
    },
    "reasoning": {
        "step by step": 1.5, "logic": 1.5, "logical": 1.5, "puzzle": 2.5, "riddle": 2.5, "deduce": 2.5, "deduction": 2.0, "infer": 1.2,
        "reasoning": 2.0, "premise": 2.0, "premises": 2.5, "conclusion": 1.0, "argument": 1.0, "valid or invalid": 2.5, "deductively": 3.0,
        "follows from": 1.5, "implies": 1.0, "contradiction": 1.2, "hypothesis": 1.0, "what day": 0.4, "cause": 0.3, "causation": 2.0, "causal": 1.5,
        "options": 1.0, "#choices": 0.8, "leftmost": 2.5, "rightmost": 2.5, "starting point": 2.0, "what time": 0.4, "today is": 0.8, "shuffled": 2.5,
        "objects": 1.2, "the order": 0.8, "swap": 0.8, "lies": 1.0, "tells the truth": 3.5, "truth": 0.8, "explain your answer": 2.0,
        "explain your reasoning": 3.0, "through your reasoning": 3.5, "thought experiment": 2.0, "trade offs": 1.2, "tradeoffs": 1.2, "counterfactual": 2.0,
        "what would happen": 0.6, "paradox": 1.5, "dilemma": 1.2, "strategy": 0.3, "decide": 0.4, "^prove": 1.5, "^deduce": 2.0, "^suppose": 1.0, "sarcastic": 1.5,
        "older than": 1.2, "taller than": 1.5, "to the left of": 1.5, "to the right of": 1.5, "estimate": 0.6, "fermi": 2.0,
        "conclude": 1.2, "can be concluded": 1.5, "infer from": 1.5, "consistent with": 0.8, "true statement": 1.0, "which is older": 1.0,
        "if and only if": 1.0, "brain teaser": 3.0, "who is": 0.1, "mystery": 1.0, "detective": 0.8,
    },
    "rewriting": {
        "rewrite": 4.0, "^rewrite": 1.5, "rephrase": 4.0, "^rephrase": 1.5, "paraphrase": 3.5, "^paraphrase": 2.0, "reword": 4.0, "proofread": 4.0,
        "correct the grammar": 4.0, "grammar": 2.0, "spelling": 1.5, "grammatical": 1.8, "more formal": 3.0, "more polite": 3.0, "more concise": 3.0,
        "formal": 1.0, "informal": 1.0, "tone": 1.2, "edit": 1.5, "^edit": 2.0, "polish": 2.0, "improve": 0.6, "simplify": 1.5, "simpler": 1.5,
        "passive voice": 2.5, "active voice": 2.5, "make it": 0.8, "make this": 1.2, "fix the": 0.6, "same meaning": -0.5, "fluent": 1.5,
        "easier to read": 2.5, "readable": 1.5, "plain language": 2.5, "plain english": 2.5, "is a paraphrase of": -2.5, "paraphrase of the following": -2.0,
        "a paraphrase": -1.0, "sound more": 2.0, "sentence": 0.6, "the sentence": 0.4, "shorter": 1.0, "replace": 0.8,
        "paraphrase each other": -3.0, "sentence 1": -2.5, "sentence 2": -1.5, "or not": -1.5, "passive": 1.0, "does sentence": -2.0,
        "determine if": -1.0,
    },
    "creative_writing": {
        "poem": 4.0, "poems": 2.5, "haiku": 4.0, "limerick": 4.0, "sonnet": 3.5, "story": 1.8, "short story": 3.0, "write a story": 3.5, "novel": 1.0,
        "lyrics": 3.0, "song": 1.2, "fiction": 1.5, "fictional": 1.2, "screenplay": 3.0, "monologue": 2.5, "dialogue between": 2.5, "essay": 2.5,
        "blog post": 3.0, "blog": 2.0, "cover letter": 3.0, "letter": 1.5, "speech": 1.8, "slogan": 2.5, "tagline": 2.5, "advertisement": 2.0,
        "product description": 2.5, "email": 1.2, "an email": 1.2, "^write": 1.5, "write a": 1.2, "write an": 1.2, "^compose": 2.5, "compose": 1.8, "^draft": 2.0,
        "draft": 1.2, "creative": 1.2, "imaginative": 2.0, "joke": 1.8, "fairy tale": 3.0, "narrative": 1.5, "rhyme": 2.5, "rhyming": 2.5,
        "biography": 2.0, "write a short": 1.2, "article about": 1.5, "write an article": 2.0, "write a news": 2.0, "invent": 1.0, "ad copy": 2.5, "marketing copy": 2.5, "toast": 0.8, "eulogy": 3.0, "postcard": 2.0, "write a python": -3.0,
        "write sql": -3.0, "generate a": 0.3, "characters": 0.5, "movie review": 1.0, "caption": 1.2, "script for": 1.0,
        "write a c": -2.0, "movie": -0.6, "program": -1.5, "function": -1.5, "query": -1.5, "script that": -1.0,
        "sql": -1.5, "make up": 1.5, "story about": 2.5, "a story": 1.0, "description for": 0.8, "proposal": 0.8,
        "press release": 2.5, "newsletter": 2.0, "announcement": 1.0, "recommendation letter": 2.0,
    },
    "brainstorming": {
        "brainstorm": 4.5, "^brainstorm": 1.5, "ideas": 2.5, "ideas for": 2.0, "suggest": 1.2, "^suggest": 1.2, "suggestions": 1.5, "names for": 2.0,
        "name ideas": 2.5, "come up with": 2.0, "think of": 0.8, "possible ways": 1.5, "ways to": 1.0, "different ways": 1.2, "alternatives": 1.0,
        "list of": 0.6, "list five": 1.5, "list ten": 1.5, "give me some": 0.8, "give me ten": 1.5, "give me five": 1.5, "topics for": 1.5,
        "what are some": 1.0, "themes": 0.8, "gift": 0.8, "activities": 0.8, "unconventional": 1.5, "options for": 1.0, "as many": 1.0,
        "^generate": 0.4, "^propose": 1.5, "inspiration": 1.5, "recommendations": 0.8, "titles for": 1.5, "hobbies": 0.6,
    },
    "conversation": {
        "hello": 2.5, "hi": 2.2, "hey": 2.0, "thanks": 2.5, "thank you": 1.8, "good morning": 2.5, "good night": 2.5, "bye": 2.5, "goodbye": 2.5,
        "how are you": 3.5, "whats up": 2.5, "your name": 2.0, "who are you": 2.0, "are you": 1.2, "do you": 0.8, "you": 0.2, "your": 0.3, "i feel": 1.8,
        "im feeling": 2.0, "feeling": 0.6, "lonely": 1.5, "chat": 1.5, "talk": 0.6, "aloha": 2.5, "roleplay": 2.5, "role play": 2.5, "pretend": 2.2,
        "^pretend": 1.0, "act as": 2.2, "imagine you": 2.0, "as a": 0.8, "^as": 1.5, "you are a": 2.2, "you are an": 2.2, "you are the": 1.5,
        "in the role of": 3.0, "in the character of": 3.0, "persona": 1.5, "your opinion": 1.2, "tell me a joke": 2.0, "yes": 0.8, "no": 0.2, "ok": 1.0, "okay": 1.0,
        "sure": 0.8, "great": 0.3, "cool": 1.0, "sorry": 0.8, "nice": 0.5, "love": 0.2, "#short": 0.3, "im": 0.6, "lol": 2.0, "haha": 2.5,
        "speak": 0.4, "if you were": 1.2, "you were": 0.6, "repeat": 0.8, "advice": 0.6, "welcome": 0.8, "meet you": 2.0, "never mind": 2.5,
        "would you": 0.3, "my": 0.1, "friend": 0.4, "today": 0.1, "tell me": 0.2,
        "role of": 2.5, "imagine youre": 2.5, "you are": 1.0, "^imagine": 1.5, "character": 0.6, "persona of": 1.0,
        "in character": 2.0, "as if you were": 2.0, "if you were a": 1.5,
    },
    "tool_use": {
        "#tools": 3.0, "#tool_result": 3.0, "remind me": 3.5, "reminder": 2.5, "set a": 1.2, "set an": 1.2, "alarm": 2.5, "timer": 2.5,
        "schedule": 1.8, "calendar": 2.5, "book a": 2.5, "book me": 3.0, "flight": 1.0, "reserve": 2.0, "reservation": 2.0, "reservations": 2.0,
        "order": 0.5, "turn on": 2.5, "turn off": 2.5, "turn up": 2.5, "volume": 1.8, "play": 1.0, "song": 0.5, "call": 0.8, "text": 0.1, "weather": 2.0,
        "forecast": 0.8, "account": 1.2, "bank": 1.0, "balance": 1.5, "transfer": 1.5, "bill": 1.0, "pay": 0.6, "credit card": 1.2, "card": 0.6,
        "search for": 1.5, "search": 0.8, "look up": 1.5, "find me": 1.2, "directions": 1.5, "traffic": 1.2, "nearest": 1.5, "near me": 2.0,
        "uber": 2.0, "shopping list": 2.5, "todo list": 2.5, "to do list": 2.5, "add": 0.6, "cancel": 1.5, "send": 0.6, "tool": 2.0,
        "tools": 2.0, "use the": 0.4, "function call": 2.5, "access": 0.4, "python shell": 0.5, "my phone": 1.5, "my": 0.4, "#short": 0.2, "change": 0.6,
        "settings": 1.0, "wikipedia": 1.0, "search engine": 2.5, "calculator": 1.5, "latest": 0.6, "current": 0.4, "stock price": 2.0, "meeting": 1.0,
        "meetings": 1.0, "recipe": 0.4, "restaurant": 0.8, "hotel": 0.6, "pto": 1.5, "vacation": 0.6, "insurance": 0.4, "tracking": 0.8, "package": 0.5,
        "enabled": 0.5, "commands": 0.5, "use this to": 0.8, "input should be": 1.5,
    },
}  # fmt: skip

WIDE_CUES: Mapping[Task, Mapping[str, float]] = {
    "code_generation": {
        "代码": 3.0, "编程": 2.5, "函数": 2.5, "程序": 2.0, "python": 2.0, "java": 2.0, "sql": 2.0, "コード": 3.0, "プログラム": 2.5, "関数": 2.5,
        "코드": 3.0, "함수": 2.5, "프로그램": 2.0, "código": 2.5, "función": 1.5, "função": 1.5, "funktion": 1.0, "программ": 2.0, "код": 1.5, "كود": 2.5,
        "برنامج": 1.5, "c++": 1.5, "正規表現": 3.0, "正则": 3.0, "算法": 1.5,
    },
    "summarization": {
        "总结": 3.0, "摘要": 3.5, "概括": 3.5, "概述": 2.0, "总结一下": 1.0, "要約": 4.0, "まとめ": 2.5, "요약": 4.0, "résum": 3.5, "resum": 3.0,
        "zusammenfass": 4.0, "fasse": 2.0, "riassu": 4.0, "sintesi": 1.5, "кратко": 2.5, "резюм": 2.5, "لخص": 4.0, "ملخص": 3.5, "主要内容": 2.0, "标题": 1.0,
    },
    "extraction": {
        "提取": 4.0, "抽取": 4.0, "找出": 2.5, "关键词": 2.5, "列出文": 1.5, "抽出": 4.0, "추출": 4.0, "extrae": 3.5, "extraer": 3.5, "extrai": 3.5, "extrahier": 4.0,
        "extrais": 3.5, "estra": 2.0, "извлек": 4.0, "استخرج": 4.0, "识别出": 2.0, "标记出": 1.5,
    },
    "translation": {
        "翻译": 4.5, "译成": 4.0, "译为": 3.5, "翻訳": 4.5, "訳して": 3.5, "번역": 4.5, "traduc": 4.0, "traduz": 4.0, "tradui": 4.0, "übersetz": 4.5,
        "переве": 4.0, "перевод": 3.5, "ترجم": 4.5, "英文": 0.8, "英語に": 1.5,
    },
    "structured_data": {"json": 3.0, "xml": 2.0, "表格": 2.0, "yaml": 2.5, "csv": 1.5, "tabla": 1.0, "tabelle": 1.0, "tableau": 0.8},
    "classification": {
        "分类": 3.5, "归类": 3.5, "情感": 2.0, "判断": 1.8, "属于": 1.5, "类别": 2.5, "正面还是": 2.5, "分類": 4.0, "分류": 3.0, "분류": 4.0, "clasific": 4.0,
        "classifi": 4.0, "klassifiz": 4.0, "категор": 3.0, "классиф": 4.0, "صنف": 4.0, "positivo o negativo": 3.0, "感情": 0.5,
    },
    "question_answering": {
        "什么": 1.2, "为什么": 1.2, "哪": 1.0, "如何": 1.0, "怎么": 1.0, "介绍": 0.8, "解释": 1.2, "是什么": 0.8, "比较": 1.0, "区别": 1.2, "何": 0.6, "なぜ": 1.5,
        "どのよう": 1.2, "ですか": 0.8, "ますか": 0.8, "무엇": 1.2, "어떻게": 1.2, "왜": 1.0, "까요": 0.8, "인가요": 0.8, "¿": 1.2, "qué": 0.6, "cómo": 0.8, "quais": 0.8,
        "può": 0.4, "warum": 1.0, "welche": 0.8, "ما ": 0.6, "كيف": 1.2, "لماذا": 1.2, "هل": 0.8, "что": 0.5, "почему": 1.2, "как ": 0.6, "请问": 0.5,
        "être": 0.2, "comment": 0.6, "auswirk": 0.6, "unterschied": 0.8, "différence": 0.8, "diferen": 0.6, "differenz": 0.5, "説明": 0.8, "설명": 0.5,
    },
    "question_answering_in_context": {
        "根据以下": 1.5, "根据文": 2.5, "阅读": 2.0, "下列文本": 2.0, "上下文": 2.5, "回答问题": 1.2, "以下の文章": 2.0, "다음 글": 2.0, "contexto": 1.5, "el texto": 0.8,
        "le texte": 0.8, "den text": 0.8, "基于以下": 1.0, "从文章中": 1.5, "文章中": 1.0,
    },
    "document_analysis": {"合同": 1.5, "条款": 1.5, "文档": 1.5, "契約": 1.5, "contrato": 1.0, "vertrag": 1.0, "contrat ": 1.0, "договор": 1.2},
    "data_analysis": {"数据分析": 3.0, "数据": 0.8, "数据集": 1.5, "趋势": 1.2, "データ": 0.8, "데이터": 0.8, "datos": 0.8, "données": 0.8, "daten": 0.5, "данн": 0.8},
    "mathematics": {"何個": 1.5, "몇": 1.2, "cuánt": 1.2, "quanto": 0.6, "quant": 0.3, "combien": 1.2, "wie viel": 1.2, "どれだけ": 0.8, "сколько": 1.5, "كم ": 1.2, "残": 0.5,
        "计算": 2.0, "方程": 2.5, "多少": 1.5, "几个": 1.2, "几": 0.4, "数学": 1.5, "平均": 1.0, "方程式": 1.0, "求": 0.8, "計算": 2.0, "방정식": 2.5, "계산": 2.0, "ecuación": 2.5,
        "equação": 2.5, "équation": 2.5, "gleichung": 2.5, "уравнен": 2.5, "معادلة": 2.5, "calcul": 1.5, "berechn": 2.0, "احسب": 2.0, "probabil": 1.0, "确定": 0.2,
        "一共": 1.5, "剩": 0.8, "面积": 1.5, "合計": 1.0, "총": 0.8,
    },
    "reasoning": {"推测": 1.5, "結論": 1.0, "conclusión": 1.0, "conclusão": 1.0, "结论": 1.0, "推論を": 1.0,
        "推理": 2.5, "逻辑": 1.5, "一步一步": 1.5, "逐步": 1.8, "推断": 1.2, "解释你的答案": 2.0, "推論": 2.0, "ステップ": 1.2, "あなたの答え": 1.5, "추론": 2.0, "단계별": 1.5,
        "paso a paso": 1.8, "passo a passo": 1.8, "pas à pas": 1.8, "schritt für schritt": 1.8, "razonamiento": 2.5, "raciocínio": 2.5, "raisonnement": 2.5,
        "ragionamento": 2.5, "gedankengang": 2.5, "argumentation": 1.0, "рассужд": 2.0, "الاستدلال": 2.0, "خطوة": 1.5, "تفكير": 1.0, "理由を": 0.8, "progressivement": 1.0,
    },
    "rewriting": {"受动": 1.5, "受動態": 2.0, "被动": 1.5, "passiv": 1.5, "pasiva": 1.5, "bearbeiten": 2.0, "editar la": 2.0, "수정": 2.0, "正しい": 0.5, "ersetz": 1.5, "substitu": 1.5, "sustitu": 1.5, "remplac": 1.5, "문장": 0.5, "置き換え": 1.5, "frase": 0.5, "oración": 0.5, "以下の文": 0.8,
        "改写": 4.0, "重写": 3.5, "润色": 4.0, "修改": 2.0, "编辑": 1.8, "纠正": 2.0, "语法": 1.5, "替换": 1.5, "书き直": 3.0, "書き換え": 4.0, "書き直": 4.0, "다시 작성": 3.0,
        "고쳐": 2.5, "reescrib": 4.0, "reescrev": 4.0, "reformul": 3.5, "umschreib": 4.0, "umformul": 4.0, "riscriv": 4.0, "réécri": 4.0, "перепиш": 4.0,
        "أعد صياغة": 4.0, "أعد كتابة": 4.0, "corrig": 2.0, "句子": 0.8, "语句": 0.8, "改成": 2.0, "转换": 1.0, "modifi": 1.2, "satz": 0.4, "以下句": 0.8,
    },
    "creative_writing": {"创作": 3.0, "歌曲": 1.5, "歌词": 3.0, "标题": 1.0, "生成一篇": 2.0, "续写": 3.0, "文章": 0.5, "推薦状": 2.0, "書いてください": 1.5, "대본": 2.5, "글을 써": 2.0, "guión": 2.0, "roteiro": 1.5, "correo electr": 1.2, "крити": 0.5, "crítica": 1.0, "سيناريو": 2.0, "artigo": 0.8, "artículo": 0.8, "articolo": 0.8, "artikel": 0.8, "article": 0.5, "저에게": 0.2, "편지": 1.5, "手紙": 1.5, "台本": 2.0, "剧本": 2.5, "演讲": 2.0, "广告": 1.5,
        "写一篇": 2.5, "写一首": 4.0, "写一封": 3.0, "写一": 1.2, "诗": 2.5, "故事": 1.5, "作文": 2.0, "编写": 0.8, "口号": 2.0, "文案": 2.0, "生成一": 0.8, "小说": 1.5, "物語": 2.0,
        "詩": 2.5, "書いて": 1.5, "メール": 1.0, "작성": 1.2, "시를": 2.0, "이야기": 1.0, "escrib": 1.5, "escrev": 1.5, "scriv": 1.2, "écri": 1.5, "rédige": 2.5, "schreib": 1.5,
        "verfass": 2.0, "poema": 3.0, "gedicht": 3.5, "poème": 3.5, "напиш": 1.5, "стих": 2.5, "اكتب": 1.8, "قصيدة": 3.5, "قصة": 1.5, "ブログ": 1.5, "블로그": 1.5,
        "redact": 1.5, "elabora": 0.8, "email": 0.8, "carta": 0.8, "lettre": 0.8, "e-mail": 0.8,
    },
    "brainstorming": {"列出": 1.0, "设计一": 1.0, "推荐": 1.0, "一些方法": 1.5, "一些": 0.5, "三个": 0.5, "五个": 0.7, "提出一些": 1.5, "新产品": 1.0,
        "头脑风暴": 4.0, "创意": 2.0, "想法": 1.5, "点子": 2.0, "主意": 1.5, "建议": 1.0, "方案": 1.0, "尽可能多": 2.0, "提出": 1.2, "设计": 0.8, "列举": 1.2, "アイデア": 2.5,
        "아이디어": 2.5, "ideen": 2.5, "idées": 2.5, "ideas para": 2.5, "ideias": 2.5, "iдеи": 2.0, "идеи": 2.5, "أفكار": 2.5, "想出": 1.8, "名字": 0.8,
    },
    "conversation": {"你认为": 0.5, "你觉得": 0.8, "お前": 0.5, "imagina que": 1.5, "immagina": 1.5, "imaginez": 1.5, "想象": 1.0, "あなたは": 0.4, "당신은": 0.4, "como ": 0.2, "в роли": 2.0, "виртуаль": 0.2,
        "你好": 2.5, "谢谢": 2.0, "扮演": 2.0, "你是一": 1.2, "假设你": 1.2, "作为一": 1.2, "こんにちは": 2.5, "ありがとう": 2.0, "として": 1.2, "안녕": 2.5, "감사": 1.0, "로서": 1.5,
        "hola": 2.0, "gracias": 1.5, "olá": 2.5, "obrigad": 1.5, "bonjour": 2.5, "merci": 1.0, "salut": 1.5, "grazie": 1.2, "привет": 2.5, "спасибо": 2.0,
        "مرحبا": 2.5, "بصفتك": 2.0, "supponendo": 1.0, "stell dir vor": 2.0, "imagin": 1.0, "en tant que": 1.8, "als ": 0.3, "tue ": 0.0, "como un": 0.6, "come un": 1.0,
    },
    "tool_use": {"提醒": 2.0, "天气": 2.0, "预订": 2.0, "查询": 1.0, "天気": 2.0, "날씨": 2.0, "wetter": 1.5, "météo": 2.0, "recuérda": 2.5, "erinner": 1.5},
}  # fmt: skip

# what each task asks of a model by itself, as an index into TIERS
TASK_FLOOR: Mapping[Task, int] = {
    "code_generation": 1,
    "summarization": 0,
    "extraction": 0,
    "translation": 0,
    "structured_data": 0,
    "classification": 0,
    "question_answering": 0,
    "question_answering_in_context": 0,
    "document_analysis": 1,
    "data_analysis": 1,
    "mathematics": 1,
    "reasoning": 2,
    "rewriting": 0,
    "creative_writing": 1,
    "brainstorming": 0,
    "conversation": 0,
    "tool_use": 0,
}

# the highest tier that a long query alone may ask for: material is more work, not harder work
LENGTH_CAP: Mapping[Task, int] = {
    "code_generation": 2,
    "summarization": 1,
    "extraction": 0,
    "translation": 0,
    "structured_data": 0,
    "classification": 0,
    "question_answering": 2,
    "question_answering_in_context": 1,
    "document_analysis": 2,
    "data_analysis": 2,
    "mathematics": 2,
    "reasoning": 2,
    "rewriting": 0,
    "creative_writing": 1,
    "brainstorming": 1,
    "conversation": 1,
    "tool_use": 1,
}

# tasks whose text may be full of "why" and "prove" without asking for any thought
PLAIN_TASKS: frozenset[Task] = frozenset(
    {"translation", "extraction", "classification", "summarization", "rewriting", "structured_data"}
)
HARD_TASKS: frozenset[Task] = frozenset({"mathematics", "reasoning", "code_generation"})
DEMANDING_NEEDS: frozenset[Capability] = frozenset({"tools", "vision", "documents", "audio"})

REASONING_CUES = frozenset(
    {
        "prove", "proof", "derive", "derivation", "theorem", "deduce", "reasoning", "rigorous", "rigorously", "tradeoffs", "optimal",
        "optimize", "architecture", "hypothesis", "counterexample", "contradiction", "analyze", "analyse", "evaluate", "critique", "justify",
        "induction", "asymptotic", "step by step", "think carefully", "careful thought", "explain your reasoning", "show your work",
        "trade offs", "root cause", "explain why", "in depth", "pros and cons", "formal proof", "worst case",
    }
)  # fmt: skip
REASONING_WIDE = (
    "证明", "推导", "一步一步", "逐步", "推理", "分析", "証明", "推論", "증명", "추론", "paso a paso", "passo a passo", "démontr", "beweis", "raisonnement",
    "razonamiento", "докаж", "рассужд", "برهن",
)  # fmt: skip

# tokens of a usual answer; tasks that give back their material are scaled by the query instead
OUTPUT_TOKENS: Mapping[Task, int] = {
    "code_generation": 600,
    "summarization": 200,
    "extraction": 150,
    "translation": 50,
    "structured_data": 250,
    "classification": 20,
    "question_answering": 250,
    "question_answering_in_context": 120,
    "document_analysis": 500,
    "data_analysis": 450,
    "mathematics": 400,
    "reasoning": 800,
    "rewriting": 60,
    "creative_writing": 700,
    "brainstorming": 500,
    "conversation": 150,
    "tool_use": 100,
}
ECHOING_TASKS: frozenset[Task] = frozenset({"translation", "rewriting"})

# marks of scripts other than ASCII's
WIDE_PUNCTUATION = "，。！？：；、（）「」『』【】《》“”‘’…—–¿¡«»؟،؛"
QUESTION_MARKS = ("?", "？", "؟")
OPERATORS = ("+", "=", "*", "^", "\\frac", "×", "÷", "√")
