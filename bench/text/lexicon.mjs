/** Words of two languages, by what they do in a sentence, the more frequent first. Written for this purpose. */

/** @param {string} text */
const words = (text) => text.trim().split(/\s+/);

export const english = {
  determiners: words('the a the this the some every each the no another that many most several'),
  possessives: words('his her their our my your its'),
  subjects: words('he she they we you it I nobody everyone someone'),
  prepositions: words(
    'of in to for with on at from by about into over after between under through before against during without near behind across beyond',
  ),
  conjunctions: words('and but so while because when although if until since unless whereas'),
  adverbs: words(`
    also only often never still again always almost already soon really quite perhaps together quickly slowly usually carefully clearly
    recently simply finally probably sometimes quietly certainly suddenly rarely exactly nearly easily especially hardly gently barely
    openly eventually honestly constantly roughly directly widely merely`),
  adjectives: words(`
    new good small old long great little high different large next early young important public bad able late hard whole clear certain
    short open free strong possible low simple heavy dark cold warm quiet deep rich green white black red blue bright common fresh local
    modern natural narrow necessary nice personal poor popular private ready recent round sharp similar slow soft special strange sudden
    sweet tall thin typical unusual useful usual vast visible wild wooden wrong yellow broken careful distant empty familiar foreign
    friendly grateful honest hungry innocent lonely nervous patient plain proper quick rough safe serious silent smooth steady stiff
    tiny tired ugly urgent weak wise curious formal gentle grey hollow humble mild pale proud rare remote ripe salty shallow steep
    stubborn tender thick transparent wet restless reliable responsible scientific historical political economic musical electric digital`),
  nouns: words(`
    time year day way man thing woman life child world school state family student group country problem hand part place case week
    company system program question work government number night point home water room mother area money story fact month lot right
    study book eye job word business issue side kind head house service friend father power hour game line end member law car city
    community name president team minute idea body information back parent face level office door health person art war history party
    result change morning reason research girl guy moment air teacher force education foot boy age policy music market sense nation
    plan college interest death experience effect use class control care field role effort rate heart drug show leader light voice wife
    police mind price report decision son view relationship town road arm difference value building action season society tax director
    position player record paper space ground form event official matter center couple site project activity star table need court oil
    situation cost industry figure street image phone data picture practice piece land product doctor wall patient worker news test
    movie north love step letter language river mountain sea garden window kitchen bridge station village forest island weather summer
    winter spring autumn rain snow wind storm cloud sky sun moon stone metal glass wood cloth bread butter cheese fruit apple salt sugar
    coffee tea cup plate knife spoon chair bed lamp clock mirror box bag coat shoe hat shirt ring key ticket train bus ship boat plane
    engine wheel machine computer network software model vector sentence token text page library museum theatre song dance painting
    poem novel chapter author reader writer painter singer actor farmer driver soldier captain neighbour visitor guest stranger crowd
    bird dog cat horse cow sheep fish tree flower leaf seed root branch grass field hill valley desert lake coast shore harbour castle
    church tower square corner path tunnel gate fence roof floor stair cellar attic hospital factory shop hotel restaurant bakery
    laboratory experiment theory method measurement temperature pressure speed distance weight length surface structure pattern colour
    shape sound noise silence smell taste memory dream hope fear anger surprise pleasure pain habit custom tradition festival holiday
    birthday wedding journey adventure discovery invention mistake accident secret promise agreement argument discussion conversation
    interview speech lecture lesson exercise exam degree career salary budget profit debt trade customer contract election vote
    parliament minister citizen border embassy treaty army weapon victory defeat peace justice crime judge lawyer prison`),
  verbs: words(`
    call want need look seem help turn start show play move live believe happen include continue learn change follow stop create open
    walk offer remember consider appear serve expect stay reach remain suggest raise pass require report decide return explain develop
    carry receive agree support join reduce produce contain cover describe accept notice paint climb clean repair collect compare
    measure answer discover travel visit protect improve avoid prefer finish gather invite mention observe prepare publish record refuse
    repeat replace search share study touch train wait warn wonder worry borrow deliver discuss divide employ enjoy examine fill fix
    guard handle hurry imagine import insist intend introduce judge knock listen manage mark match mix name obtain order organise own
    pack pick plant point pour press print promise pull push question realise recognise recommend reflect relax release rely remove
    rescue rest review roll save shout smile sort sound spell spread stare stretch succeed suffer surround switch tie train translate
    treat trust vary weigh whisper wish work`),
};

export const korean = {
  adverbs: words(`
    매우 아주 너무 정말 다시 이미 아직 자주 가끔 항상 서로 함께 천천히 빨리 조용히 분명히 특히 결국 갑자기 거의 먼저 곧 계속 직접 점점
    비교적 반드시 아마 오히려 여전히 그냥 더욱 별로 전혀 마침내 일찍 늦게 가까이 멀리 겨우 완전히 오늘 어제 내일 지금 요즘`),
  connectives: words('그리고 그러나 하지만 그래서 또한 따라서 그런데 한편 즉 게다가 그러면 왜냐하면'),
  modifiers: words(`
    새로운 작은 큰 좋은 오래된 많은 다른 같은 높은 낮은 긴 짧은 깊은 넓은 좁은 어두운 밝은 따뜻한 차가운 조용한 시끄러운 아름다운 중요한
    필요한 어려운 쉬운 재미있는 맛있는 특별한 평범한 다양한 비슷한 깨끗한 복잡한 간단한 강한 약한 젊은 늙은 가난한 부유한 행복한 슬픈
    빠른 느린 이 그 저 모든 여러 어떤 첫 마지막 우리 내 그의 그녀의`),
  nouns: words(`
    사람 시간 일 말 때 집 문제 생각 나라 학교 아이 세계 친구 가족 학생 선생님 회사 도시 마음 이름 이야기 사회 역사 문화 정부 경제 정치
    교육 과학 기술 연구 결과 방법 이유 과정 관계 상황 변화 발전 의미 가치 자연 환경 물 불 바람 하늘 땅 바다 강 산 나무 꽃 새 고양이 강아지
    아침 점심 저녁 밤 오전 오후 봄 여름 가을 겨울 날씨 비 눈 구름 태양 달 별 음식 밥 국 빵 과일 사과 커피 차 우유 설탕 소금 고기 생선 책 글
    그림 사진 음악 노래 영화 드라마 소설 시 신문 방송 편지 전화 컴퓨터 인터넷 프로그램 자료 정보 언어 한국어 영어 단어 문장 모델 벡터 도서관
    박물관 병원 약국 시장 가게 식당 호텔 공항 역 버스 기차 지하철 자동차 자전거 배 비행기 길 다리 건물 방 문 창문 부엌 책상 의자 침대 시계
    거울 가방 옷 신발 모자 안경 우산 열쇠 돈 값 은행 월급 직업 의사 간호사 변호사 기자 작가 화가 가수 배우 감독 선수 군인 경찰 농부 어부
    대통령 국민 시민 주민 손님 이웃 부모 어머니 아버지 할머니 할아버지 형 누나 동생 아들 딸 아내 남편 사랑 행복 슬픔 기쁨 분노 두려움 희망
    꿈 기억 추억 약속 비밀 실수 사고 사건 전쟁 평화 승리 패배 자유 평등 권리 의무 책임 법 규칙 제도 정책 계획 목표 노력 성공 실패 기회 위험
    경험 지식 지혜 질문 대답 설명 의견 토론 회의 발표 시험 숙제 수업 교실 운동 축구 야구 수영 등산 여행 휴가 축제 생일 결혼 명절 설날 추석
    전통 예술 종교 철학 수학 물리 화학 생물 지리 우주 지구 대륙 섬 숲 호수 사막 계곡 마을 골목 광장 공원 정원 농장 공장 사무실 건강 질병 치료
    약 몸 머리 얼굴 눈 코 입 귀 손 발 심장 피 뼈 목소리 소리 소음 침묵 냄새 맛 색깔 모양 크기 무게 길이 속도 온도 거리 방향 위치 순서 시작 끝
    처음 마지막 중간 앞 뒤 위 아래 안 밖 옆 사이 가운데 주변 지역 중앙 국경 수도 서울 부산 대구 인천 광주 대전 제주도 한국 미국 중국 일본 유럽`),
  /** Followed by 하다 in one of its forms. */
  actions: words(`
    생각 말 공부 일 사랑 시작 준비 연구 발표 설명 이해 사용 이용 결정 선택 노력 요구 주장 발견 발생 존재 가능 필요 중요 변화 발전 성장 증가
    감소 개발 생산 소비 판매 구입 교환 비교 분석 평가 확인 조사 기록 기억 이야기 질문 대답 약속 결혼 여행 출발 도착 이동 참여 참석 활동 운동
    연습 공연 전시 번역 통역 출판 방송 보도 운전 요리 청소 세탁 정리 수리 건설 설치 운영 관리 보호 유지 제공 지원 협력 경쟁 성공 실패 반대
    찬성 거절 허락 금지 포함 제외 연결 분리 추가 삭제 저장 전달 표현 강조 추천 소개 초대 방문 환영 감사 사과 걱정 후회 만족 포기 기대 희망`),
  actionForms: words(`
    한다 했다 합니다 했습니다 해요 했어요 하고 하며 하면 해서 하지만 하는데 하려고 하기 하는 한 할 했던 하였다 하지 해야 하도록 하면서`),
  endings: words(`
    간다 갔다 왔다 온다 본다 보았다 봤습니다 있다 있었다 있습니다 없다 없었다 없습니다 된다 되었다 됩니다 만든다 만들었다 받았다 주었다 준다
    먹었다 마셨다 읽었다 썼다 들었다 알았다 모른다 몰랐다 찾았다 떠났다 남았다 살았다 죽었다 걸었다 달렸다 앉았다 섰다 웃었다 울었다 잤다
    기다렸다 배웠다 가르쳤다 열었다 닫았다 좋아한다 싫어한다 아름답다 어렵다 쉽다 크다 작다 많다 적다 높다 춥다 덥다 같다 다르다 보인다 들린다`),
};
