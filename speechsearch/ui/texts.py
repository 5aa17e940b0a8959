"""Every text of the page, by tab: the one file to review or to translate. Messages of errors are with their errors.

Texts are plain: no HTML, no quotation marks that would end an attribute. ``{names}`` are filled in by ``str.format``,
in scripts by ``fill``. A ``Noun`` is (one, several). A ``Message`` is what happened and what to do.
"""

from __future__ import annotations

Noun = tuple[str, str]
Message = tuple[str, str]


class Nouns:
    """What is counted."""

    ANSWER: Noun = ("answer", "answers")
    CHAPTER: Noun = ("chapter", "chapters")
    COLLECTION: Noun = ("collection", "collections")
    FILE: Noun = ("file", "files")
    MOMENT: Noun = ("moment", "moments")
    PAIR: Noun = ("pair", "pairs")
    PASSAGE: Noun = ("passage", "passages")
    QUESTION: Noun = ("question", "questions")
    RECORDING: Noun = ("recording", "recordings")
    SPEAKER: Noun = ("speaker", "speakers")
    TASK: Noun = ("task", "tasks")
    TIME: Noun = ("time", "times")
    UNLIKELY_ANSWER: Noun = ("unlikely answer", "unlikely answers")


class Tabs:
    """The names of the tabs."""

    SEARCH = "Search"
    RECORDINGS = "Recordings"
    ADD = "Add recordings"
    COLLECTIONS = "Collections"
    COMPARE = "Compare"
    MEASURE = "Measure accuracy"
    BENCH = "Test with noise"
    ABOUT = "About"


class Page:
    """Around the tabs, and what several of them say."""

    TITLE_START = "speech"
    TITLE_END = "search"
    TAGLINE = "Find the moment something is said, by meaning and by sound. No transcript needed."
    NOTHING_YET = "Nothing to search yet"
    REFRESH = "Refresh"
    NO_ADDRESSES: Message = ("This server does not fetch web addresses.", "Save the file and upload it.")
    INDEXING = "Indexing {name}"
    DONE_OF = "{done} of {total}"
    TIME_LEFT = "{time} left"
    TIMES_REAL_TIME = "{rate} × real time"
    PLAY = "Play {title}"
    LENGTH = "Length"
    PAUSE = "Pause {title}"
    POSITION = "Position"
    AT_OF = "{at} of {length}"
    COPY_LINK = "Copy link"
    DOWNLOAD = "Download"
    OPEN_RECORDING = "Open recording"
    HEARD = "Heard"
    NO_WORDS = "no words recognised"
    TRANSCRIPT_SHOWN_ONLY = "Transcript (not used for this search)"
    SHOW = "Show {what}"
    LIKELY = "{percent} % likely"
    PROGRESS = "Progress"
    SCORE = "score {score}"
    RANK_IN_CHANNEL = "{channel}: rank {rank}, score {score}"
    ENGINE = "Engine"
    COUNT = "n"


class Search:
    """The Search tab."""

    QUESTION = "Question"
    PLACEHOLDER = "Ask a question, or type a name or a few words"
    GO = "Search"
    EXAMPLES = "Example questions"
    SPOKEN = "Ask by voice or with an audio file"
    SPOKEN_QUESTION = "Spoken question"
    FILTERS = "Filters and number of answers"
    ANSWERS = "Answers in each column"
    COLLECTIONS = "Collections"
    SPEAKERS = "Speakers"
    LANGUAGES = "Languages"
    DATE_FROM = "Recorded from"
    DATE_TO = "Recorded until"
    DATE_PLACEHOLDER = "2019 or 2019-03-04"
    ENGINES = {"left": "Search by, left column", "right": "Search by, right column"}
    ANSWERS_OF = "Answers by {engine}"
    TOOK = "{passages} in"
    TOOK_PARTS = "question {encode} ms, search {search} ms"
    FILTERED = "Filtered by {filters}"
    FILTER = {
        "collection": "collection",
        "speaker": "speaker",
        "language": "language",
        "from": "recorded from",
        "to": "recorded until",
    }
    EMPTY: Message = ("The question is empty.", "Type or say what you are looking for.")
    NO_SOUND: Message = ("No sound has arrived.", "Record the question again, or drop an audio file.")
    NOTHING_THERE: Message = ("There is nothing to search yet.", "Add recordings on the tab Add recordings.")
    NO_DATE: Message = ("{date} is not a date.", "Write it as 2019, 2019-03 or 2019-03-04.")
    PREVIOUS = "Previous passage"
    NEXT = "Next passage"
    DOWNLOAD_CLIP = "Download clip"
    MORE_BY = "More by {speaker}"
    FOUND_BY = "Why it was found"
    GOOD = "Good answer"
    WRONG = "Wrong answer"
    PLAY_HEARD = "Play from {word}, heard at {at}"
    IN_OTHER = "in {engine}"
    GO_TO_OTHER = "Number {rank} in {engine}, {step}: go there"
    SAME_PLACE = "the same place"
    LOWER = "{places} lower"
    HIGHER = "{places} higher"
    ONLY = "only by {engine}"
    ONLY_SOUND = "only by sound"
    ONLY_TRANSCRIPT = "only by transcript"
    WHY = "How the columns differ"
    NEITHER = "Neither column found a passage."
    SAME = "Both columns found the same {passages}."
    SAME_ORDER = "Both columns found the same {passages}, in the same order."
    OTHER_ORDER = "Both columns found the same {passages}, in a different order."
    IN_BOTH = "{common} of {passages} found by both"
    MISSED = "The transcript has no word of the question in {passages}."
    MISSED_ONE = "the passage that only sound found"
    MISSED_ALL = "any of the passages that only sound found"
    MISSED_SOME = "{number} of the {total} passages that only sound found"
    ORDER = "Compare the order"
    RANK_IN = "rank {rank} in {engine}"
    NOT_IN = "not in {engine}"
    EXPORT = "Export"
    EXPORT_OF = "{format} of {engine}"
    SOUND_ONLY = "Compare sound alone with the transcript"
    RATINGS = "Your ratings"
    RATED_ANSWERS = "answers (TREC qrels)"
    RATED_QUESTIONS = "questions (TSV)"


class Ask:
    """The answer above the columns of the Search tab."""

    GO = "Ask"
    EXPERIMENTAL = "Experimental: it often finds no answer where there is one. Listen before you rely on it."
    LABEL = "Answer"
    LOOKING = "Looking for passages …"
    READING = "Reading {passages} …"
    HEARD = "Heard"
    UNDERSTOOD = "Understood as"
    AS_TYPED = "Ask as typed"
    NEAREST = "Go to the nearest passages"
    PLAY_CITED = "Play {number}: {title}, {span}"
    PLAY_ALL = "Play the answer"
    COPY = "Copy with sources"
    GOOD = "Good answer, from the right passages"
    WRONG = "Wrong answer"
    SOURCES = "Sources"
    MADE = "How it was made"
    EVIDENCE = "Evidence"
    EVIDENCE_READ = "{passages} found by {engine} in {searched}, {read} of them read"
    WRITTEN_NOW = "{passages} had no transcript and were written down for this"
    WORDING = "Wording"
    WORDINGS = {
        "quote": "quotes from the recordings",
        "counted": "counted and listed by the program",
        "phrased": "put into words by {model}, checked against the quotes",
    }
    READER = "Reader"
    TIME = "Time"
    TOOK = "{total}, first sentence after {first}"
    TOOK_ALL = "{total}"
    SENT = "Sent"
    STAYED = "nothing to another server"
    SENT_TO = "question and quotes to {host}"
    SENT_NOTE = "The question and the quotes were sent to {host}."


class Known:
    """What a column says of its answers as a whole."""

    TRANSCRIPTS = "transcripts: {passages}"
    TRANSCRIPTS_BY = "transcripts by {recognizer}: {passages}"
    TRAINED_ON = "trained on {passages}"
    SEARCHED_IN = "Searched in {searched}"
    NO_PHRASE: Message = ("No passage has {words} in one piece.", "Without quotation marks there may be answers.")
    NO_LIKELIHOOD = "These models have no measured likelihood: the score only sets the order."
    NOTHING: Message = ("Nothing relevant found.", "Try other words, or another way to search.")
    NOTHING_LIKELY: Message = ("Nothing relevant found.", "No passage is a likely answer to this question.")
    NOTHING_LIKELY_YET: Message = ("Nothing relevant found so far.", "No passage with a transcript is a likely answer.")
    NO_TRANSCRIPT: Message = ("No transcript answers this.", "{some} have one. The others were added without.")
    WRITING: Message = ("Transcripts are still being written.", "{some} so far. Search by sound works meanwhile.")
    NOTHING_YET: Message = ("Nothing found so far.", "Transcripts are still being written: {some} so far.")


class Recordings:
    """The Recordings tab."""

    ABOUT = (
        "Choose a recording to listen to it, read along and search within it. Answers of the Search tab open here too, "
        "at the right moment."
    )
    SUBTITLES = "Subtitles"
    FIND = "Find a recording"
    FIND_PLACEHOLDER = "Title, speaker, collection or date"
    FILTERS = "Filters"
    FILTER = {"collection": "Collection", "speaker": "Speaker", "year": "Year"}
    ANY = {"collection": "All collections", "speaker": "All speakers", "year": "All years"}
    RECENT = "Recently added"
    MOST_FOUND = "Most found"
    OTHERS = "All others"
    ALL = "All recordings"
    FOUND_TIMES = "found {times}"
    FOUND_TIMES_HINT = "How often it was a likely answer. Only the number is kept, no question."
    NONE: Message = ("There are no recordings yet.", "Add some on the tab Add recordings.")
    NO_FIT: Message = ("No recording fits.", "Try another part of its title, or other filters.")
    SOME_OF = "{shown} of {found}"
    FACTS = {
        "duration": "Length",
        "speaker": "Speaker",
        "date": "Date",
        "language": "Language",
        "collection": "Collection",
        "licence": "Licence",
        "source": "Source",
    }
    PLAYER = "Player"
    PLAY = "Play"
    BACK = "10 seconds back"
    BACK_SHORT = "−10 s"
    AHEAD = "10 seconds ahead"
    AHEAD_SHORT = "+10 s"
    PREVIOUS_ANSWER = "Previous answer"
    NEXT_ANSWER = "Next answer"
    ANSWERS = "answers"
    SPEED = "Speed"
    SEARCH_WITHIN = "Search within this recording"
    SEARCH = "Search"
    ENGINE = "Search by"
    TOOK = "{answers} in"
    ORDER = "Order of the answers"
    BEST_FIRST = "Best first"
    BY_TIME = "By time"
    PASSAGES = "{passages}"
    PASSAGES_WITH_TRANSCRIPTS = "{passages} with transcripts"
    SPEECH = "{length} of speech"
    NO_TRANSCRIPT = "no transcript"


class Add:
    """The Add recordings tab and the banner."""

    COLLECTION_NAME = "my recordings"
    FIELDS = {"title": "Title", "speaker": "Speaker", "date": "Date", "language": "Language", "licence": "Licence"}
    CLOSED: Message = (
        "Recordings cannot be added here.",
        "Log in, or run speechsearch on your own computer, where they stay with you.",
    )
    DROP = "Drop recordings here"
    DROP_WHAT = "Audio or video files, a folder, or a ZIP or TAR archive, with a metadata.csv if you have one"
    CHOOSE_FILES = "Choose files"
    CHOOSE_FOLDER = "Choose a folder"
    FILES = "Recordings"
    FOLDER = "A folder of recordings"
    CLEAR = "Clear"
    DESCRIBE = "Details of the files"
    FILE = "File"
    COLLECTION = "Collection"
    GO = "Add recordings"
    SENT = "Uploaded"
    CANCEL = "Cancel"
    FEED = "Add a podcast by its feed"
    FEED_ADDRESS = "Address of the feed"
    FEED_EXAMPLE = "https://example.org/feed.xml"
    FEED_LIMIT = "Episodes"
    FEED_ALL = "all"
    FEED_GO = "Add podcast"
    FEED_ABOUT = (
        "It goes to the collection above, with its transcripts and chapters. Add it again for new episodes; "
        "those that are here are not fetched twice."
    )
    DATASET = "Add a dataset from the Hugging Face Hub"
    DATASET_NAME = "Name"
    DATASET_CONFIGURATION = "Configuration"
    DATASET_EXAMPLE = "google/fleurs"
    DATASET_CONFIGURATION_EXAMPLE = "en_us"
    DATASET_SPLIT = "Split"
    DATASET_COLUMN = "Audio column"
    DATASET_COLUMN_PLACEHOLDER = "found automatically"
    DATASET_LIMIT = "At most"
    DATASET_GO = "Add dataset"
    DATASET_ABOUT = "It goes to the collection above. Nothing is downloaded before you press the button."
    TASKS = "Tasks"
    SAMPLES = "The sample collection"
    REINDEX = "Rebuilding the index"
    TRANSCRIPTS = "Writing transcripts and hearing who speaks"
    RECORDINGS = "Recordings"
    TO_COLLECTION = "{what} to {collection}"
    STATES = {
        "queued": "waiting",
        "running": "running",
        "paused": "paused",
        "done": "done",
        "failed": "failed",
        "cancelled": "cancelled",
    }
    ACTIONS = {"pause": "Pause", "resume": "Resume", "cancel": "Cancel"}
    STOP = "Stop"
    ACTION_ON = "{action}: {what}"
    STAGES = {
        "encode": "Listening again:",
        "transcribe": "Transcribing:",
        "speakers": "Hearing who speaks:",
        "similar": "Preparing to find similar recordings:",
    }
    RESULTS = {
        "indexed": "added",
        "unchanged": "already there",
        "duplicate": "already there under another name",
        "updated": "updated",
        "skipped": "left out",
        "warning": "with a note",
        "failed": "could not be added",
    }
    FILE_STATES = {
        "indexed": "added",
        "unchanged": "already there",
        "duplicate": "duplicate",
        "updated": "updated",
        "skipped": "left out",
        "warning": "note",
        "failed": "failed",
    }
    STARTING = "Starting …"
    PASSAGES_DONE = "{done} of {total} passages"
    FAILED = "This task has failed."
    BEFORE = "{tasks} before it."
    STOPPED_WRITING = "What is written stays. The rest is written after the next task."
    CANCELLED = "What was added before stays."
    MORE_FILES = "And {files} more."
    FILE_LIST = "Files"
    READY_SAMPLES = "Sample collection ready"
    READY = "Ready to search by sound"
    READY_ALL = "Ready to search"
    CALM_SIMILAR = "{ready}. Preparing to find similar recordings."
    CALM_SIMILAR_LEFT = "{ready}. Preparing to find similar recordings, {time} left."
    CALM_SPEAKERS = "{ready}. Hearing who speaks."
    CALM_SPEAKERS_LEFT = "{ready}. Hearing who speaks, {time} left."
    CALM = "{ready}. Transcripts: {done} of {total} passages."
    CALM_LEFT = "{ready}. Transcripts: {done} of {total} passages, {time} left."
    BANNER_SAMPLES = "the sample collection"
    BANNER_ALL = "all recordings again"


class Similar:
    """More like this, on cards and recordings; duplicates, a fold of the Collections tab."""

    TITLE = "Similar"
    OF_RECORDING = "Similar recordings"
    SENSES = {"recording": "Same recording", "words": "Same words", "sound": "Sounds alike"}
    SENSE_HINTS = {
        "recording": "Copies of it, also cut, noisy or re-encoded.",
        "words": "Passages that say nearly the same, whoever speaks.",
        "sound": "Recordings with the same kind of sound: voice, music, place.",
    }
    IN_SENSE = "Similar in which way"
    NOTHING: dict[str, Message] = {
        "recording": ("No other copy found.", "This sound is in no other recording, as far as is known."),
        "words": ("Nothing found.", "No other passage says anything like it."),
        "sound": ("Nothing found.", "No other recording is prepared for this yet."),
    }
    NOTHING_LIKELY: dict[str, Message] = {
        "recording": NOTHING["recording"],
        "words": (
            "Nothing likely found.",
            "No passage surely says nearly the same. What comes nearest is below.",
        ),
        "sound": (
            "Nothing likely found.",
            "No other recording is surely the same piece, or more of the same. What comes nearest is below.",
        ),
    }
    LOOKED_IN = "Looked for in {recordings}, {time}."
    SOME_OF = "{some} of {all}"
    ALIKE = "alike {score}"
    OPEN = "Open {title}"
    BEGINS = "Begins there at {at}. {moments} agree."
    BEGINS_BEFORE = "Begins {at} before it. {moments} agree."
    FASTER = "Played {speed} times as fast."
    SHARED = "Both say: {words}"
    NEAREST = "{asked} here and {found} there"
    MOST_ALIKE = "Most alike: {pairs}."
    DIAGONAL = "Moments that agree: {asked} here, {found} there. A straight line is the same recording."
    BY_SOUND = "Find where a sound is from"
    BY_SOUND_ABOUT = (
        "Choose or drop a file, up to ten minutes long: a clip, a song, something off the air. It is compared "
        "with all recordings and not kept."
    )
    CHOOSE = "Choose a file"
    TOO_LONG: Message = ("That is too long to play at once.", "Open the recording.")
    DUPLICATES_ABOUT = (
        "Recordings that are there twice, whole or in part, even if one is shorter, noisier or in another format. "
        "Nothing is deleted unless you say so. Pairs that you keep are not shown again."
    )
    WHERE = "Collection"
    EVERYWHERE = "All collections"
    LOOK = "Look for duplicates"
    NO_DUPLICATES: Message = ("No duplicates found.", "Recordings that were just added may not be prepared yet.")
    MORE_PAIRS = "And {pairs} more. Decide on these first."
    PAIR_NUMBER = "Pair {number}"
    SAME_WHOLE = "The same recording: {length} agree."
    SAME_PART = "The second is part of the first, from {at} on: {length} agree."
    SIGNS = {"offsets": "same order", "length": "same length", "fingerprint": "same sound", "sound": "sounds alike"}
    VOTES = {"yes": "yes", "no": "no", "abstains": "cannot tell"}
    VOTE = "{sign}: {vote}"
    KEEP_THIS = "Keep only this one"
    KEEP_BOTH = "Keep both"


class Names:
    """My names, a fold of the Collections tab."""

    TITLE = "My names"
    ABOUT = (
        "Names and terms that matter to you. Every search hears them as you say they sound, in old recordings too; "
        "nothing is transcribed again."
    )
    NONE = "No names yet."
    NAME = "Name"
    NAME_PLACEHOLDER = "Wojciechowski"
    SOUNDS = "Sounds like"
    SOUNDS_PLACEHOLDER = "voy che hoff ski"
    SOUNDS_HINT = "How it sounds, up to {most} ways with ; between"
    ADD = "Add or change"
    IMPORT = "Import CSV"
    EXPORT = "Export CSV"
    SOUNDS_LIKE = "sounds like {ways}"
    SPELLING = "\u201c{spelling}\u201d"
    EXAMPLE_KNOWN = "a recorded example"
    EXAMPLE_STALE = "an example to be recorded again"
    DAMAGED: Message = ("How it sounds is damaged and cannot be read.", "Add the name again, or remove it.")
    EXAMPLE = "Example"
    EXAMPLE_HINT = "A file with the name, said once"
    EXAMPLE_OF = "Recorded example of {name}"
    REMOVE = "Remove"
    REMOVE_NAME = "Remove {name}"
    HEARD = "Where heard"
    WHERE_HEARD = "Where {name} was heard"
    NOWHERE = "It was heard nowhere. Another spelling of how it sounds may help."
    CONFIRMED = "confirmed"
    LIKELY = "{percent} % likely"
    WRITTEN = "{said}, also in the transcript"
    RIGHT = "Right"
    WRONG = "Wrong"
    VERDICT = "{verdict}: {title}, {at}"
    PLACE = "{title}, {at}"
    PLAY = "Play {title}, {at}"


class Voices:
    """Who speaks in a recording, on the Recordings tab."""

    TITLE = "Who speaks: {names}"
    AND_MORE = "{names} and {number} more"
    LANES = "Who speaks when"
    MORE = "{speakers} more"
    SHARE = "{percent} % of the speech, {length}"
    PREVIOUS = "Previous turn of {name}"
    NEXT = "Next turn of {name}"
    PLAY_HERE = "Click to play from here"
    EDIT = "Edit"
    EDIT_WHAT = "Edit {name}"
    NAME = "Name"
    SAVE = "Save"
    NAME_HINT = "Holds in every recording in which this speaker is heard."
    OTHER = "This is someone else"
    NEW = "A new speaker"
    ASSIGN = "Assign"
    OTHER_HINT = "Changes this recording only, and is remembered."
    IN_RECORDINGS = "{name} ({recordings})"
    TURNS = "Turns as a list"
    OVERLAP = "at the same time as another"
    SUBTITLES = "Subtitles with names"


class People:
    """Speakers, a fold of the Collections tab."""

    TITLE = "Speakers"
    ABOUT = (
        "Who is heard in the recordings, told apart by voice. Give a name once, and it holds in every recording. "
        "Voices are compared on this computer only."
    )
    NONE = "No speakers yet. Recordings are listened to for who speaks after they are added."
    OFF = "Who speaks is not listened for here: it is switched off, or the model for it is not installed."
    NO_FIT = "No speaker has these words in the name."
    FIND = "Find a speaker"
    LIST = "Speakers"
    MORE = "And {speakers} more. Find them by name above."
    HEARD = "{recordings}, {length} of speech"
    NO_SOUND: Message = ("There is no sound of this speaker.", "The list may have changed: open it again.")
    SAMPLE = "a sample of {name}"
    SAMPLE_IN = "{name} in {title}"
    RECORDINGS = "Recordings"
    RECORDINGS_OF = "Recordings of {name}"
    VOICES = "Show the voices"
    VOICES_CHANGE = "Change"
    VOICES_OF = "Voices of {name}"
    CHANGE_OF = "Change {name}"
    NAME = "Name"
    SAVE = "Save"
    UNNAME = "Remove the name"
    SAME = "Same person as"
    MERGE = "Merge"
    CHOOSE = "Choose a speaker"
    IN = "Heard in"
    MORE_VOICES = "And {recordings} more: see the button Recordings."
    CONFIRMED = "confirmed"
    MATCHED = "matched by voice"
    TAKE_OUT = "Not this speaker"
    TAKE_OUT_OF = "{name} does not speak in {title}"
    FORGET = "Delete this speaker"
    FORGET_QUESTION = "Delete {name} for good?"
    FORGET_WHAT = (
        "The name, the voice profile and who speaks when in {recordings} are deleted. The recordings, their sound and "
        "their transcripts stay. This cannot be undone."
    )
    FORGET_GO = "Delete"
    CANCEL = "Cancel"


class Collections:
    """The Collections tab."""

    ON_DISK = "On disk: {parts}"
    IN_ALL = "{size} in all"
    STORAGE = {"audio": "audio", "database": "database", "index": "index"}
    NOTHING = "nothing"
    NEW = "New collection"
    EXPORT = "Export"
    REINDEX = "Rebuild index"
    CHECK = "Check storage"
    LIST = "Collections"
    EMPTY = "empty"
    NONE = "There is no collection yet. Add recordings, and they make one."
    EDIT = "Edit"
    DELETE = "Delete"
    OF_AUDIO = "{size} of audio"
    LICENCE = "Licence"
    SOURCE = "Source"
    NAME = "Name"
    DESCRIPTION = "Description"
    RECORDING_FIELDS = {
        "title": "Title",
        "speaker": "Speaker",
        "date": "Date, like 2024-05-31",
        "language": "Language, like en",
        "licence": "Licence",
        "source": "Source",
    }
    MAP = "Map of the passages"
    MAP_COLOUR = "Colour by"
    MAP_BY = {"recording": "recording", "speaker": "speaker"}
    MAP_DRAWING = "Drawing the map …"
    MAP_HELP = "Map of the passages. Arrow keys move to the nearest passage, Enter plays it."
    MAP_COLOURS = "Colours"
    MAP_CHOSEN = "Passage chosen on the map"
    RECORDINGS = "Recordings"
    NO_RECORDINGS = "No recordings yet. Add some on the tab Add recordings."
    NO_FIT = "No recording has these words in its title, speaker, date or file name."
    FIND = "Find a recording"
    HEADS = ("Recording", "Length", "Passages", "Searchable by", "State")
    CHANGE = "Change"
    CHANGE_WHAT = "{action} {title}"
    STATES = {
        "stored": "unfinished",
        "deleting": "deletion unfinished",
        "failed": "failed",
        "done": "searchable",
        "outdated": "outdated",
    }
    UNFINISHED_HINT = "It is finished when the program starts again."
    OUTDATED_HINT = "Made with other models or another division into passages. Rebuild the index to update it."
    PASSAGES_WITH = "{channel}: {number} of {passages}"
    PREVIOUS = "Previous"
    NEXT = "Next"
    PAGES = "Pages"
    PAGE_OF = "Page {page} of {last}"
    A_FILE = "A file"
    LAST_OF = "The last {shown} of {total}."
    NOT_ADDED = "{files} could not be added"
    CANCEL = "Cancel"
    NEW_GO = "Create"
    NEW_DONE = "Collection created."
    EDIT_TITLE = "Edit collection"
    EDIT_RECORDING = "Edit recording"
    SAVE = "Save"
    SAVED = "Saved."
    DELETE_TITLE = "Delete this collection?"
    DELETE_RECORDING = "Delete this recording?"
    DELETE_EMPTY = "This deletes the empty collection {name}."
    DELETE_ALL = "This deletes {name}: {recordings} ({length}), {passages}, the transcripts and {size} of audio."
    DELETE_ONE = "This deletes {name}: {length}, {passages}, the transcripts and {size} of audio."
    NO_UNDO = "This cannot be undone."
    REINDEX_TITLE = "Rebuild the index?"
    REINDEX_ABOUT = (
        "The index is rebuilt with the current models. Only recordings made with other models or another division into "
        "passages are processed again, which can take a while. You can search meanwhile."
    )
    REINDEX_DONE = "The index is being rebuilt. The line above the tabs shows the progress."


class Compare:
    """The Compare tab: measuring accuracy."""

    ABOUT = (
        "Every engine gets the same questions, whose answers are known, over the same passages; the table shows how "
        "often each finds the right one. Nothing is indexed or transcribed again."
    )
    COLLECTION = "Collection"
    ENGINES = "Engines"
    BASELINE = "Compare with"
    OWN = "Use your own questions"
    OWN_ABOUT = (
        "A .csv file with the columns question and recording (its title or file name; empty where nothing answers), or "
        "queries.jsonl with a .tsv of judgements. Up to 1,000 questions."
    )
    OWN_FILES = "Questions"
    GO = "Ask all questions"
    STOP = "Stop"
    DIFFERENCES = "Questions that only one engine answers"
    FIRST_ENGINE = "First engine"
    SECOND_ENGINE = "Second engine"
    WITHIN = "Right answer among"
    WITHIN_ONE = "the first answer"
    WITHIN_FIVE = "the first five"
    NOTHING: Message = ("There is nothing to measure yet.", "Add recordings first.")
    STOPPED: Message = ("Stopped.", "Nothing was kept.")
    CHOOSE_TWO = "Choose two engines that were measured."
    DELETED = "a recording that was deleted meanwhile"
    ASKING = "Asking {engine}: {done} of {total} questions"
    STEP = "engine {step} of {steps}"
    PROGRESS = "Progress of the test"
    AGAINST = "{metric} against {engine}"
    MS = "ms a question"
    MOST = "95 %: {ms}"
    FIGURES = "Accuracy of the engines"
    BASIS = (
        "{collection}: {passages}{length}, {questions}, {unanswered} of them without an answer. Small figures are 95 % "
        "bootstrap intervals over the questions, p two-sided from a paired permutation test; a recording counts as "
        "found when any of its passages is. {date}, {machine}."
    )
    CURVES = "Share of the right recordings among the first k answers"
    CURVES_LABEL = "Recall at 1 to {deepest} of each engine; the table below has the figures"
    CURVES_TABLE = "Show the figures as a table"
    CURVES_TABLE_LABEL = "Recall by number of answers"
    ONLY = "Only {engine}: {questions}"
    MORE = "{number} more are not shown."
    RIGHT_WITHIN = "right among its first {k}, not among those of {engine}"
    RIGHT_AT_ONCE = "its first answer is right, that of {engine} is not"
    ANSWERED_BY = "answered by {titles}"
    FOUND_NOTHING = "found nothing"
    RIGHT = "right"
    WRONG = "wrong"
    SAVE_AS = "Save as {format}"


class IndexCosts:
    """The Compare tab: what ways of indexing cost."""

    TITLE = "How the vectors could be indexed"
    ABOUT = (
        "Small libraries are compared whole, large ones by coarser copies whose best are compared again. Here is what "
        "other ways would find and cost with the vectors of this library; up and to the right is better."
    )
    HOW = "Whoever runs the server measures it, while the page is stopped:"
    COMMAND = "python -m speechsearch benchmark-index"
    LABEL = "Ways to index: share of the nearest that is found, and searches a second"
    ACROSS = "share of the nearest 10 that is found"
    UP = "searches a second"
    HEADS = (
        "Index", "Found", "With a filter", "Searches a second", "8 at once, a second", "Milliseconds",
        "First search, ms", "Built in, s", "Bytes compared",
    )  # fmt: skip
    MOST = "95 %: {ms}"
    BASIS = (
        "{vectors} vectors of {dim} numbers, {asked} questions a run, the median of {runs} runs. A filter allows one "
        "in ten. {date}, {machine}."
    )


class Bench:
    """The Compare tab: testing with noise."""

    ABOUT = (
        "Ask something, choose the clip that answers it, then add noise to the clip or to your spoken question. You "
        "see where the clip ranks before and after. Nothing that is searchable changes."
    )
    QUESTION = "Question"
    PLACEHOLDER = "What is said in the clip?"
    FIND = "Find clips"
    SPOKEN = "Ask by voice instead"
    SPOKEN_QUESTION = "Spoken question"
    CLIP = "Clip that answers"
    TARGET = "Add noise to"
    TARGETS = {"clip": "the clip", "question": "the spoken question"}
    NOISE = "Noise"
    NOISES = {"none": "No noise", "white": "White", "pink": "Pink", "babble": "Voices"}
    RATIO = "Speech louder than noise by (dB)"
    TELEPHONE = "Telephone sound"
    TELEPHONE_BAND = "300–3400 Hz"
    MP3 = "MP3"
    BIT_RATES = {0: "No MP3", 64: "64 kbit/s", 32: "32 kbit/s", 16: "16 kbit/s"}
    SPEED = "Speed (× as fast)"
    NO_SUCH: Message = ("There is no such noise or bit rate.", "Choose among those shown.")
    OUTSIDE = "Noise goes from 0 to 40 dB and speed from 0.8 to 1.25."
    NOTHING: Message = ("Nothing was found.", "Other words may find the clip.")
    NO_CLIP: Message = ("No clip is chosen.", "Ask a question first, then choose the clip that answers it.")
    NO_SPOKEN: Message = ("There is no spoken question.", "Record one above, or add the noise to the clip.")
    NO_QUESTION: Message = ("There is no question.", "Type or speak one.")
    HEADS = ("Engine", "Before", "After", "Change", "First … last")
    RANKS = "Rank of the right clip in every engine"
    UNCHANGED = "unchanged"
    LOST = "lost"
    FOUND = "found"
    DOWN = "{places} down"
    UP = "{places} up"
    AMONG = "{passages} passages"
    AMONG_DRAWN = "{passages} passages drawn from {of}"
    WHERE = "Where {title}, {span}, ranks among {among}."
    BEFORE = "Original"
    AFTER = "Changed"
    BEFORE_LABEL = {"clip": "the original clip: {title}", "question": "the original question: {title}"}
    AFTER_LABEL = {"clip": "the changed clip: {title}", "question": "the changed question: {title}"}
    TRANSCRIPTS = "Below each sound stands what the speech recogniser wrote. Only {engine} searches that."


class About:
    """The About tab."""

    WHAT = "What it does"
    WHAT_TEXT = (
        "speechsearch finds the moment in spoken recordings where something is said, by its meaning and its sound. A "
        "transcript decides what was said before anyone asks; a name that was misheard is lost. This program keeps "
        "what may have been said, and shows beside its own answers those of a search through transcripts."
    )
    HOW = "How it works"
    HOW_TEXT = (
        "A recording is divided at pauses into passages of 5 to 30 seconds. A speech encoder notes, 25 times a second, "
        "how likely each sound of the language is. From that come the phonetic index, a vector of meaning made by the "
        "adapter, and an index of the words that may have been said. Your question is turned into the same three "
        "things, and the passages nearest to it are the answers."
    )
    ENGINES = "Ways to search"
    GLOSSARY = "Glossary"
    TERMS = {
        "Passage": "a stretch of a recording, 5 to 30 seconds long, that can be found and played.",
        "Likelihood": "how often answers with such a score were right on the questions we measured, in percent.",
        "Engine": "one way to search: by everything, by sound, by its parts, or by transcript.",
        "Adapter": "a small network that turns the sound of a passage into the same kind of vector as text, so that "
        "both can be compared by meaning.",
        "Phonetic index": "which speech sounds may be in a passage, so that names are found however they are spelled.",
        "Speech recogniser": "a program that writes speech down; what it writes is the transcript.",
        "Baseline": "the usual way, for comparison: search in what a speech recogniser wrote down.",
        "Index": "what is prepared from the recordings so that a search is fast.",
        "Recall (R@5)": "the share of questions whose right answer is among the first five. R@1: whose first is right.",
        "Speaker": "a person who is heard in recordings. Until somebody gives a name, a number tells speakers apart.",
        "Voice": "how one speaker sounds in one recording. Voices that sound alike are taken for the same speaker.",
        "MRR": "mean reciprocal rank: 1 if the right answer is always first, 0.5 if always second.",
    }
    MODELS = "Models"
    MODEL_HEADS = ("Model", "Task", "Languages", "Parameters", "Licence", "Description")
    IN_USE = "in use"
    ACCURACY = "Accuracy"
    LIMITS = "Limits"
    LIMITS_LIST = (
        "English only. Other languages are heard as if they were English.",
        "Most training voices were synthetic; seven hours were human. Non-native speakers, telephone lines, meetings "
        "and people talking at once are heard badly.",
        "It finds passages. Ask, which is experimental, quotes what answers a question, and often finds nothing. It "
        "does not summarise or conclude. Listen to what it finds.",
        "The likelihood is measured on our own sets. On your recordings it may be off.",
        "Speakers are told apart by voice alone. Two who sound alike may be taken for one, and one for two. What you "
        "correct is remembered.",
        "The speech recogniser of the baseline is a small one: its transcripts are for comparison, not for reading. "
        "Against a large one the difference will be smaller.",
    )
    KEYBOARD = "Keyboard shortcuts"
    KEYS = {
        "/": "go to the question",
        "Enter": "search",
        "Shift+Enter": "ask",
        "j, k": "next and previous answer",
        "Space": "play or pause the answer",
        "?": "show these shortcuts, and a switch to turn them off",
        "Tab": "everything else, in order",
    }
    USE_KEYS = "Use these shortcuts"
    CLOSE = "Close"
    LICENCES = "Licences and versions"
    LICENCE_HEADS = ("What", "Version", "Licence")
    SAMPLES = "samples (texts, questions, audio)"
    SEE_PACKAGE = "see the package"
    SERVER = "This server"
    PROCESSOR = "Processor"
    CORES = "Cores"
    MEMORY = "Memory"
    SYSTEM = "System"
    PYTHON = "Python"
    DEVICE = "Models run on"
    READ_MORE = "Read more"
    PAGES = {
        "README.md": "how to install and use it",
        "docs/evaluation.md": "every figure, with the command that made it",
        "docs/training-log.md": "how the model was trained, with its detours",
        "speechsearch/assets/mini/README.md": "the model card",
        "speechsearch/assets/samples/README.md": "where the samples come from",
    }
    STATUS = "Status"
    RUNNING_FOR = "Running for"
    AUDIO = "Audio"
    DATABASE = "Database"
    INDEX = "Index"
    FREE = "Free disk space"
    TASKS = "Tasks"
    NO_TASKS = "none yet"
    CHECK = "Check database, index and audio files"
    OWNER_ONLY: Message = ("Only an owner may check.", "Log in.")
    AGREES = "Database, index and audio files agree."
    DIFFERS = "Something differs"
    MORE = "and {number} more"
    NO_EVALUATION = "The evaluation (evaluation.json) is not part of this installation; the source code has it."
    BAD_EVALUATION = "speechsearch/assets/evaluation.json cannot be read: {why}."
    FIGURES = (
        "Share of questions whose right passage is among the first five answers, with 95 % intervals. Perfect "
        "transcript: a search through what was really said, about the most that can be hoped for."
    )
    FIGURES_LABEL = "Recall at 5 on the collections of the evaluation"
    COLLECTION = "Collection"
    PERFECT = "Perfect transcript"
    AGAINST = "{engine} against {baseline}"
    PASSAGES = "{number} passages"
    NOISY = (
        "The same with the recordings made worse, all collections together. Misheard: phoneme errors of the speech "
        "encoder, and word errors of the speech recogniser. A dash: not measured."
    )
    NOISY_LABEL = "Recall at 5 in noise, through codecs and in a room"
    NOISY_HEAD = "The recordings"
    SOUNDS_MISHEARD = "Sounds misheard"
    WORDS_MISHEARD = "Words misheard"
    FROM = "From speechsearch/assets/evaluation.json: {made}"
    MADE = "{date}, {processor}, {cores} cores; {command}"


SCRIPTS: dict[str, dict[str, str]] = {
    "account": {"logIn": "Log in", "logOut": "Log out", "everywhere": "Log out everywhere", "as": "Logged in as"},
    "player": {
        "play": Page.PLAY,
        "pause": Page.PAUSE,
        "atOf": Page.AT_OF,
        "error": "cannot be played",
    },
    "search": {
        "first": "This is the first passage.",
        "last": "This is the last passage.",
        "noRatings": "Your ratings could not be read: {error}",
        "removed": "Rating removed.",
        "rated": "Thank you, your rating is saved.",
        "copied": "Link copied.",
        "failed": "That did not work: {error}",
        "noPlay": "This clip cannot be played: {error}",
        "error": "error {status}",
    },
    "ask": {
        "play": Ask.PLAY_ALL,
        "stop": "Stop",
        "copied": "Answer copied, with its sources.",
    },
    "add": {
        "notSound": "Left out: {names}.",
        "notSoundAndMore": "Left out: {names} and {number} more.",
        "notSoundHint": "These are neither sound nor an archive.",
        "file": "{number} file, {size}",
        "files": "{number} files, {size}",
        "withTable": "{files}, with metadata.csv",
        "rest": "And {number} more, named after their files or by metadata.csv.",
        "archive": "An archive: its own metadata.csv describes what is in it.",
        "leaveOut": "Leave out {name}",
        "fieldOf": "{field} of {name}",
        "tooLarge": "{name} has {size}; {allowed} are allowed.",
        "tooLargeHint": "Convert it to Opus.",
        "tooMuch": "These are {size}; {allowed} are allowed at once.",
        "tooMany": "{allowed} files are allowed at once.",
        "tooMuchHint": "Add them in parts.",
        "none": "There are no files to add.",
        "noneHint": "Choose files or a folder, or drop them above.",
        "sending": "Uploading, {percent} %",
        "sent": "Uploaded. The server is checking the files …",
        "error": "The server answered with error {status}.",
        "again": "Try again.",
        "broken": "The connection was lost.",
        "brokenHint": "Check that the server is running, then try again.",
        "silent": "The server does not answer.",
        **{f"field_{name}": title for name, title in Add.FIELDS.items()},
    },
    "collections": {
        "error": "The server answered with error {status}.",
        "recording": "{number} recording",
        "recordings": "{number} recordings",
        "passage": "{number} passage",
        "passages": "{number} passages",
        "emptyDeleted": "The empty collection is deleted.",
        "deleted": "Deleted: {recordings}, {passages}, {size} of audio.",
        "agree": "Nothing of it is left in database, index and audio files.",
        "differ": "The check of database, index and audio files found: {what}",
        "more": "And {number} more.",
    },
    "map": {
        "error": "The map cannot be drawn: the server answered with error {status}.",
        "passages": "{number} passages.",
        "sample": "An even sample of {shown} of {number} passages.",
        "about": "Close marks are about similar things, roughly: it shows {percent} % of what tells passages apart.",
        "unknown": "unknown",
        "noPlay": "This passage cannot be played: {error}",
    },
    "names": {
        "title": Names.TITLE,
        "error": "The server answered {status}.",
        "removed": "{name} is removed.",
        "sure": "Remove for good",
        "remove": Names.REMOVE,
        "again": "With {name} goes what was confirmed and rejected of it. Press again to remove it.",
        "listening": "Listening for {name} …",
        "heardOnce": "{name} was heard in 1 passage.",
        "heard": "{name} was heard in {count} passages.",
        "confirmed": "Noted. Searches go by it.",
        "rejected": "Noted. It is not shown here again.",
        "undo": "Undo",
        "undone": "Taken back.",
        "added": "{name} is in the list.",
        "imported": "{added} added, {changed} changed.",
        "example": "{name} is now also heard as in the example.",
    },
    "similar": {
        "duplicates": "Duplicates",
        "looking": "Looking …",
        "file": "{name}:",
        "error": "The server answered {status}.",
        "pair": "{count} pair.",
        "pairs": "{count} pairs.",
        "kept": "Both stay. This pair is not shown again.",
        "undo": "Undo",
        "undone": "Taken back.",
        "sure": "Delete {title}",
        "again": "This deletes {title}, with its sound and transcripts. Press again to delete it.",
        "deleted": "{title} is deleted.",
    },
    "speakers": {
        "title": People.TITLE,
        "error": "The server answered {status}.",
        "named": "{label} is now called {name}, in every recording.",
        "unnamed": "The name {name} is removed.",
        "merged": "{label} and {name} are one person now.",
        "assigned": "This voice is now {name}, no longer {label}.",
        "forgotten": "{label} is deleted, with all voice data.",
        "namesake": "There is a speaker called {name} already. Is it the same person?",
        "same": "Same person",
        "undo": "Undo",
        "undone": "Taken back.",
        "noNext": "{label} has no turn after this.",
        "noPrevious": "{label} has no turn before this.",
    },
    "recording": {
        "searchTab": Tabs.SEARCH,
        "recordingsTab": Tabs.RECORDINGS,
        "error": "The server answered with error {status}.",
        "silent": "The server does not answer. Try again in a moment.",
        "noWave": "The waveform cannot be drawn; the sound may play all the same.",
        "mark": "Answer {rank}, {span}, {said}",
        "noPlay": "This sound cannot be played here.",
        "noSound": "The sound cannot be played: it did not arrive, or this browser does not know it.",
        "play": Recordings.PLAY,
        "pause": "Pause",
        "atOf": Page.AT_OF,
        "noNext": "There is no answer after this.",
        "noPrevious": "There is no answer before this.",
        "noClipboard": "The address of this page is the link: copy it from above.",
        "copied": "Link to {at} copied.",
        "notCopied": "The link could not be copied.",
    },
}
"""What the scripts say, by script; a script reads ``texts.search.first``."""
