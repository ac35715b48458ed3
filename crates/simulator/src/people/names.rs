//! Names in many scripts, each with the Latin form that mail addresses use. Latin forms of family names occur once over all tables, which
//! makes `given.family` unique for a pair. No text here needs JSON escaping (a test says so).

/// A name as written by its owner, and in Latin letters for addresses.
pub type Name = (&'static str, &'static str);

/// Names that go together.
pub struct Script {
    /// Language tag of the people who bear these names.
    pub language: &'static str,
    /// Whether the family name comes first.
    pub family_first: bool,
    /// Given names.
    pub given: &'static [Name],
    /// Family names.
    pub family: &'static [Name],
}

/// All tables.
pub const SCRIPTS: &[Script] = &[
    Script { language: "en-GB", family_first: false,
        given: &[("Ada", "ada"), ("Oliver", "oliver"), ("Grace", "grace"), ("Thomas", "thomas"), ("Amelia", "amelia"), ("Harry", "harry"), ("Charlotte", "charlotte"), ("George", "george"),
            ("Emily", "emily"), ("James", "james"), ("Ruth", "ruth"), ("Samuel", "samuel"), ("Hannah", "hannah"), ("Daniel", "daniel"), ("Priya", "priya"), ("Marcus", "marcus"), ("Alice", "alice"), ("Edward", "edward"), ("Naomi", "naomi"), ("Ryan", "ryan")],
        family: &[("Byron", "byron"), ("Hopper", "hopper"), ("Whitfield", "whitfield"), ("O'Connor", "o'connor"), ("Ashworth", "ashworth"), ("Bennett", "bennett"), ("Carter", "carter"), ("Doyle", "doyle"),
            ("Ellison", "ellison"), ("Fletcher", "fletcher"), ("Gallagher", "gallagher"), ("Hughes", "hughes"), ("Ingram", "ingram"), ("Jefferson", "jefferson"), ("Kendrick", "kendrick"), ("Lovelace", "lovelace"), ("MacLeod", "macleod"), ("Norris", "norris"), ("Okafor", "okafor"), ("Pemberton-Jones", "pemberton-jones")] },
    Script { language: "de-DE", family_first: false,
        given: &[("Jürgen", "juergen"), ("Anke", "anke"), ("Björn", "bjoern"), ("Sabine", "sabine"), ("Käthe", "kaethe"), ("Lukas", "lukas"), ("Heike", "heike"), ("Matthias", "matthias"), ("Ulrike", "ulrike"), ("Felix", "felix")],
        family: &[("Müller", "mueller"), ("Schröder", "schroeder"), ("Weiß", "weiss"), ("von der Heyden", "vonderheyden"), ("Krämer", "kraemer"), ("Böhm", "boehm"), ("Großmann", "grossmann"), ("Fischer", "fischer"), ("Jäger", "jaeger"), ("Vogel", "vogel")] },
    Script { language: "fr-FR", family_first: false,
        given: &[("Élodie", "elodie"), ("François", "francois"), ("Zoé", "zoe"), ("Jérôme", "jerome"), ("Anaïs", "anais"), ("Loïc", "loic"), ("Marie-Hélène", "marie-helene"), ("Benoît", "benoit")],
        family: &[("Lefèvre", "lefevre"), ("Dubois", "dubois"), ("Garçon", "garcon"), ("Bérenger", "berenger"), ("d'Aubigné", "d'aubigne"), ("Moreau", "moreau"), ("Léger", "leger"), ("Noël", "noel")] },
    Script { language: "es-ES", family_first: false,
        given: &[("José", "jose"), ("Lucía", "lucia"), ("Iñaki", "inaki"), ("Sofía", "sofia"), ("Andrés", "andres"), ("María José", "mariajose"), ("Ángel", "angel"), ("Inés", "ines")],
        family: &[("García Núñez", "garcianunez"), ("Muñoz", "munoz"), ("Peña", "pena"), ("Ibáñez", "ibanez"), ("Fernández", "fernandez"), ("de la Cruz", "delacruz"), ("Gutiérrez", "gutierrez"), ("Ortega", "ortega")] },
    Script { language: "pl-PL", family_first: false,
        given: &[("Łukasz", "lukasz"), ("Małgorzata", "malgorzata"), ("Paweł", "pawel"), ("Agnieszka", "agnieszka"), ("Zbigniew", "zbigniew"), ("Żaneta", "zaneta")],
        family: &[("Wójcik", "wojcik"), ("Kowalczyk", "kowalczyk"), ("Dąbrowski", "dabrowski"), ("Gołębiowska", "golebiowska"), ("Świątek", "swiatek"), ("Źródło", "zrodlo")] },
    Script { language: "da-DK", family_first: false,
        given: &[("Søren", "soeren"), ("Åse", "aase"), ("Jørgen", "joergen"), ("Freja", "freja"), ("Mikkel", "mikkel"), ("Kirsten", "kirsten")],
        family: &[("Ærøskøbing", "aeroeskoebing"), ("Sørensen", "soerensen"), ("Nørgaard", "noergaard"), ("Kjær", "kjaer"), ("Holm", "holm"), ("Østergård", "oestergaard")] },
    Script { language: "is-IS", family_first: false,
        given: &[("Þórdís", "thordis"), ("Guðmundur", "gudmundur"), ("Sigríður", "sigridur"), ("Ægir", "aegir"), ("Björk", "bjork"), ("Hrafnhildur", "hrafnhildur")],
        family: &[("Jónsdóttir", "jonsdottir"), ("Guðmundsson", "gudmundsson"), ("Þorsteinsdóttir", "thorsteinsdottir"), ("Sigurðsson", "sigurdsson"), ("Ásgeirsdóttir", "asgeirsdottir"), ("Ólafsson", "olafsson")] },
    Script { language: "tr-TR", family_first: false,
        given: &[("İrem", "irem"), ("Çağla", "cagla"), ("Oğuz", "oguz"), ("Işıl", "isil"), ("Şebnem", "sebnem"), ("Ümit", "umit")],
        family: &[("Yıldız", "yildiz"), ("Öztürk", "ozturk"), ("Çelik", "celik"), ("Şahin", "sahin"), ("Güneş", "gunes"), ("Kılıç", "kilic")] },
    Script { language: "vi-VN", family_first: true,
        given: &[("Văn An", "an"), ("Thị Hương", "huong"), ("Minh Đức", "duc"), ("Ngọc Ánh", "anh"), ("Quốc Bảo", "bao"), ("Thùy Dương", "thuyduong")],
        family: &[("Nguyễn", "nguyen"), ("Trần", "tran"), ("Phạm", "pham"), ("Đặng", "dang"), ("Võ", "vo"), ("Huỳnh", "huynh")] },
    Script { language: "el-GR", family_first: false,
        given: &[("Γιώργος", "giorgos"), ("Ελένη", "eleni"), ("Νίκος", "nikos"), ("Αικατερίνη", "aikaterini"), ("Σπύρος", "spyros"), ("Δήμητρα", "dimitra")],
        family: &[("Παπαδόπουλος", "papadopoulos"), ("Οικονόμου", "oikonomou"), ("Αντωνίου", "antoniou"), ("Κωνσταντίνου", "konstantinou"), ("Βλάχος", "vlachos"), ("Ιωάννου", "ioannou")] },
    Script { language: "uk-UA", family_first: false,
        given: &[("Олена", "olena"), ("Сергій", "serhii"), ("Наталія", "nataliia"), ("Їжак", "yizhak"), ("Юлія", "yuliia"), ("Дмитро", "dmytro")],
        family: &[("Шевченко", "shevchenko"), ("Коваленко", "kovalenko"), ("Щербак", "shcherbak"), ("Ґонта", "gonta"), ("Бойко", "boiko"), ("Єфименко", "yefymenko")] },
    Script { language: "bg-BG", family_first: false,
        given: &[("Ивайло", "ivaylo"), ("Цветелина", "tsvetelina"), ("Георги", "georgi"), ("Радостина", "radostina")],
        family: &[("Димитров", "dimitrov"), ("Стоянова", "stoyanova"), ("Ангелов", "angelov"), ("Христова", "hristova")] },
    Script { language: "ar-SA", family_first: false,
        given: &[("محمد", "mohammed"), ("فاطمة", "fatima"), ("يوسف", "youssef"), ("ليلى", "layla"), ("عبد الله", "abdullah"), ("نور", "nour")],
        family: &[("الحسيني", "alhusseini"), ("الخطيب", "alkhatib"), ("منصور", "mansour"), ("الشامي", "alshami"), ("حداد", "haddad"), ("البغدادي", "albaghdadi")] },
    Script { language: "he-IL", family_first: false,
        given: &[("יעל", "yael"), ("דוד", "david"), ("נועה", "noa"), ("משה", "moshe"), ("תמר", "tamar"), ("איתן", "eitan")],
        family: &[("כהן", "cohen"), ("מזרחי", "mizrahi"), ("פרץ", "peretz"), ("אברהם", "avraham"), ("שפירא", "shapira"), ("ביטון", "biton")] },
    Script { language: "hi-IN", family_first: false,
        given: &[("अर्जुन", "arjun"), ("सुनीता", "sunita"), ("राजेश", "rajesh"), ("अनन्या", "ananya"), ("विक्रम", "vikram"), ("दीपा", "deepa")],
        family: &[("शर्मा", "sharma"), ("पटेल", "patel"), ("गुप्ता", "gupta"), ("अय्यर", "iyer"), ("सिंह", "singh"), ("चौधरी", "chaudhary")] },
    Script { language: "zh-CN", family_first: true,
        given: &[("伟", "wei"), ("秀英", "xiuying"), ("建国", "jianguo"), ("美玲", "meiling"), ("志强", "zhiqiang"), ("晓明", "xiaoming")],
        family: &[("王", "wang"), ("李", "li"), ("张", "zhang"), ("欧阳", "ouyang"), ("陈", "chen"), ("赵", "zhao")] },
    Script { language: "ja-JP", family_first: true,
        given: &[("さくら", "sakura"), ("健太", "kenta"), ("アンナ", "annah"), ("翔", "sho"), ("美咲", "misaki"), ("ひろし", "hiroshi")],
        family: &[("山田", "yamada"), ("佐藤", "sato"), ("髙橋", "takahashi"), ("渡邉", "watanabe"), ("小林", "kobayashi"), ("五十嵐", "igarashi")] },
    Script { language: "ko-KR", family_first: true,
        given: &[("민준", "minjun"), ("서연", "seoyeon"), ("지훈", "jihoon"), ("하은", "haeun"), ("현우", "hyunwoo"), ("수아", "sua")],
        family: &[("김", "kim"), ("박", "park"), ("최", "choi"), ("남궁", "namgung"), ("정", "jeong"), ("이", "yi")] },
    Script { language: "th-TH", family_first: false,
        given: &[("สมชาย", "somchai"), ("กนกวรรณ", "kanokwan"), ("ณัฐพล", "nattapon"), ("พิมพ์ใจ", "pimjai")],
        family: &[("ศรีสุข", "srisuk"), ("วงศ์สวัสดิ์", "wongsawat"), ("ใจดี", "jaidee"), ("บุญมี", "boonmee")] },
];

/// Departments with their titles.
pub const DEPARTMENTS: &[(&str, &[&str])] = &[
    ("Service Desk", &["Service Desk Analyst", "Senior Service Desk Analyst", "Service Desk Lead"]),
    ("Finance", &["Accountant", "Accounts Payable Clerk", "Financial Controller", "Payroll Specialist"]),
    ("Sales", &["Account Manager", "Sales Executive", "Inside Sales Representative", "Regional Sales Manager"]),
    ("Operations", &["Operations Manager", "Planner", "Dispatcher", "Process Engineer"]),
    ("Engineering", &["Engineer", "Senior Engineer", "Principal Engineer", "CAD Technician"]),
    ("Human Resources", &["HR Business Partner", "Recruiter", "HR Administrator"]),
    ("Marketing", &["Content Editor", "Brand Manager", "Marketing Analyst"]),
    ("Legal & Compliance", &["Legal Counsel", "Paralegal", "Compliance Officer"]),
    ("Warehouse", &["Warehouse Operative", "Shift Supervisor", "Forklift Driver"]),
    ("IT", &["Systems Administrator", "Network Engineer", "IT Manager", "Security Analyst"]),
];

/// Shared mailboxes, by what they are for.
pub const SHARED: &[(&str, &str)] = &[
    ("Accounts Payable", "accounts.payable"), ("Info", "info"), ("Support Mailbox", "support"), ("Reception", "reception"), ("Sales Enquiries", "sales"), ("Careers", "careers"),
    ("Invoices", "invoices"), ("Meeting Room Orion", "room-orion"), ("Press", "press"), ("Scan to Mail", "scanner"), ("No Reply", "noreply"), ("Meeting Room Vega", "room-vega"),
];

/// Service accounts, by what they run.
pub const SERVICES: &[(&str, &str)] = &[
    ("SVC Backup", "svc-backup"), ("Directory Synchronization Service Account", "sync_adconnect"), ("svc_sql_reporting", "svc_sql_reporting"), ("Break Glass 1", "breakglass1"),
    ("SVC Print", "svc-print"), ("RMM Automation", "rmm.automation"),
];

/// Companies that guests come from: name and domain.
pub const PARTNERS: &[(&str, &str)] = &[
    ("Bramble & Finch Auditors", "bramblefinch.example"), ("Kestrel Couriers", "kestrel-couriers.example"), ("Ostrava Castings", "ostravacastings.example"), ("Lumen Advisory", "lumenadvisory.example"),
    ("Quayside Design", "quayside.example"),
];

/// Second part of a generated group's name.
pub const GROUP_TOPICS: &[&str] = &[
    "VPN Access", "Project Orchard", "Finance Share", "Printer Users", "CRM Users", "Building A", "Building B", "Leadership", "First Aiders", "ERP Users", "Teams Voice", "Remote Desktop", "Project Tideway",
    "Apprentices", "Fleet", "Newsletter", "Board", "Mobile Devices", "Quality Circle", "Works Council",
];
